//! The rows of the table: parsed, checked, and written as Rust.

use std::fmt::Write as _;

/// One row.
pub(crate) struct Row {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) name: String,
    action: &'static str,
    demands: Vec<Demand>,
    variables: Vec<String>,
    remark: String,
}

/// An action, and a variant of `Place` as Rust.
struct Demand {
    action: &'static str,
    place: String,
}

impl Row {
    /// Whether the body or the text of a query names what the operation is done to.
    pub(crate) fn named_in_body(&self) -> bool {
        self.demands.iter().any(|demand| ["Body", "QueryLanguage"].contains(&&*demand.place))
    }
}

const METHODS: [&str; 6] = ["Get", "Head", "Post", "Put", "Patch", "Delete"];
const ACTIONS: [&str; 5] = ["Read", "Write", "Manage", "Monitor", "Admin"];
const HEADER: &str = "method\tpath\tname\taction\tplace\tremark";

pub(crate) fn parse(text: &str) -> Result<Vec<Row>, String> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    match lines.next() {
        Some((_, HEADER)) => {}
        _ => return Err(format!("the first line that is no comment must be {HEADER:?}")),
    }
    lines.map(|(at, line)| row(line).map_err(|error| format!("line {}: {error}", at + 1))).collect()
}

fn row(line: &str) -> Result<Row, String> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [method, path, name, action, place, remark] = columns[..] else {
        return Err(format!("{} columns instead of 6", columns.len()));
    };
    let method = word(&METHODS, method, "method")?;
    let action = word(&ACTIONS, action, "action")?;
    let segments = segments(path)?;
    let well_named =
        name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_'));
    if name.is_empty() || !well_named {
        return Err(format!("{name:?} is not an operation name"));
    }
    let places: Vec<&str> = place.split('+').collect();
    let demands: Vec<Demand> =
        places.iter().map(|place| demand(place, action, &segments)).collect::<Result<_, _>>()?;
    let first_has_row_action = places.first().is_some_and(|place| !place.contains('@'));
    if !first_has_row_action {
        return Err("the first place must have the row's own action (no @)".into());
    }
    let variables = variables(&segments, &places)?;
    Ok(Row {
        method,
        path: path.into(),
        name: name.into(),
        action,
        demands,
        variables,
        remark: remark.into(),
    })
}

/// Finds a word of the file, in any case, among the variants of an enum.
fn word(known: &[&'static str], text: &str, what: &str) -> Result<&'static str, String> {
    let found = known.iter().find(|known| known.eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| format!("{text:?} is not a {what}"))
}

pub(crate) fn segments(path: &str) -> Result<Vec<&str>, String> {
    let rest = path.strip_prefix('/').ok_or_else(|| format!("{path:?} does not begin with '/'"))?;
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let segments: Vec<&str> = rest.split('/').collect();
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    for segment in &segments {
        let inner = variable(segment).unwrap_or(segment);
        if inner.is_empty() || !inner.bytes().all(good) {
            return Err(format!("{segment:?} is not a segment of a template"));
        }
    }
    Ok(segments)
}

pub(crate) fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn demand(place: &str, row_action: &'static str, segments: &[&str]) -> Result<Demand, String> {
    let (place, action) = match place.split_once('@') {
        Some((place, action)) => (place, word(&ACTIONS, action, "action")?),
        None => (place, row_action),
    };
    let place = match place.split_once(':').unwrap_or((place, "")) {
        ("path", name) => {
            let at = segments.iter().position(|segment| variable(segment) == Some(name));
            let at = at.ok_or_else(|| format!("the path has no variable {name:?}"))?;
            format!("Path {{ segment: {at} }}")
        }
        ("plugin", name) if !name.is_empty() => format!("Plugin({name:?})"),
        ("all", "") => "All".into(),
        ("body", "") => "Body".into(),
        ("handle", "") => "Handle".into(),
        ("querylang", "") => "QueryLanguage".into(),
        ("cluster", "") => "Cluster".into(),
        ("greeting", "") => "Greeting".into(),
        _ => return Err(format!("{place:?} is not a place")),
    };
    Ok(Demand { action, place })
}

fn variables(segments: &[&str], places: &[&str]) -> Result<Vec<String>, String> {
    let mut variables = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let Some(name) = variable(segment) else { continue };
        let judged = places.iter().any(|place| place.split('@').next() == Some(&format!("path:{name}")));
        let must_be_judged = matches!(name, "index" | "target" | "new_index" | "alias");
        if must_be_judged && !judged {
            return Err(format!("the variable {name:?} names an index but no place judges it"));
        }
        let of_document = segments.first() == Some(&"{index}") && name == "id";
        let kind = if judged {
            "Index"
        } else if of_document {
            "Id"
        } else {
            "Name"
        };
        variables.push(format!("Variable {{ name: {name:?}, segment: {at}, kind: VariableKind::{kind} }}"));
    }
    Ok(variables)
}

pub(crate) fn render(rows: &[Row]) -> String {
    let mut out = format!("static OPERATIONS: [Operation; {}] = [\n", rows.len());
    for row in rows {
        let Row { method, path, name, action, demands, variables, remark } = row;
        let place = &demands[0].place;
        let demand = |Demand { action, place }: &Demand| {
            format!("Demand {{ action: Action::{action}, on: Place::{place} }}")
        };
        let demands = demands.iter().map(demand).collect::<Vec<_>>().join(", ");
        let variables = variables.join(", ");
        let _ = writeln!(
            out,
            "Operation {{ name: {name:?}, method: Method::{method}, path: {path:?}, action: Action::{action}, \
             place: Place::{place}, demands: &[{demands}], variables: &[{variables}], remark: {remark:?} }},"
        );
    }
    out.push_str("];\n");
    out
}
