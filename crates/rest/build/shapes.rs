//! The shapes of bodies, and which operation has which: parsed, checked, and written as Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const SHAPES_HEADER: &str = "shape\tkeys\tvalue\tremark";
const BODIES_HEADER: &str = "operation\tformat\tshape\tunnamed\tbeyond";
const UNREAD_HEADER: &str = "operation\treason";

#[derive(Clone, Default)]
struct Shape {
    keys: BTreeMap<String, Value>,
    other: Option<(u8, Value)>,
    scalar: Option<Value>,
    unnamed: Option<Value>,
    includes: Vec<String>,
    /// Dots in keys stand for nesting.
    dotted: bool,
    /// Keys may be many and repeat, since each is judged by itself.
    repeats: bool,
}

/// What stands under a key: as Rust, with what it leads to.
#[derive(Clone)]
struct Value {
    rust: String,
    leads_to: Vec<usize>,
    actions: u8,
    cluster: bool,
    /// Whether it can need whatever the operation does, on everything.
    everything: bool,
}

/// Holds `unread.tsv` against `bodies.tsv`: each operation that is named in its body is in just one of them.
pub(crate) fn check_unread(text: &str, bodies: &str, named_in_body: &BTreeSet<&str>) -> Result<(), String> {
    let read: BTreeSet<&str> = rows::<5>(bodies, BODIES_HEADER)?.into_iter().map(|(_, row)| row[0]).collect();
    let mut unread = BTreeSet::new();
    for (line, [operation, reason]) in rows(text, UNREAD_HEADER)? {
        let right = named_in_body.contains(operation) && !read.contains(operation);
        if !right || reason.is_empty() || !unread.insert(operation) {
            return Err(format!(
                "unread.tsv, line {line}: {operation:?} needs a reason, one line, a place 'body', and no row in bodies.tsv"
            ));
        }
    }
    match named_in_body.iter().find(|name| !read.contains(*name) && !unread.contains(*name)) {
        Some(name) => {
            Err(format!("{name:?} has a place in its body: give it a row in bodies.tsv or unread.tsv"))
        }
        None => Ok(()),
    }
}

/// The shapes, in the order of their first rows.
pub(crate) struct Shapes {
    names: Vec<String>,
    shapes: Vec<Shape>,
}

pub(crate) fn parse(text: &str) -> Result<Shapes, String> {
    let rows = rows::<4>(text, SHAPES_HEADER)?;
    let mut names: Vec<String> = Vec::new();
    for (_, row) in &rows {
        if !names.iter().any(|known| known == row[0]) {
            names.push(row[0].to_owned());
        }
    }
    let mut shapes = vec![Shape::default(); names.len()];
    for (line, row) in &rows {
        add(&mut shapes, &names, row).map_err(|error| format!("shapes.tsv, line {line}: {error}"))?;
    }
    for at in 0..shapes.len() {
        include(&mut shapes, &names, at, 0)?;
    }
    Ok(Shapes { names, shapes })
}

fn rows<'t, const N: usize>(text: &'t str, header: &str) -> Result<Vec<(usize, [&'t str; N])>, String> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    if lines.next().map(|(_, line)| line) != Some(header) {
        return Err(format!("the first line that is no comment must be {header:?}"));
    }
    let columns = |(at, line): (usize, &'t str)| {
        let columns: Vec<&str> = line.split('\t').collect();
        let found = columns.len();
        let row =
            columns.try_into().map_err(|_| format!("line {}: {found} columns instead of {N}", at + 1))?;
        Ok((at + 1, row))
    };
    lines.map(columns).collect()
}

fn position(names: &[String], name: &str) -> Result<usize, String> {
    names.iter().position(|known| known == name).ok_or_else(|| format!("there is no shape {name:?}"))
}

fn add(shapes: &mut [Shape], names: &[String], row: &[&str; 4]) -> Result<(), String> {
    let [shape, keys, value, _] = *row;
    let shape = &mut shapes[position(names, shape)?];
    if keys == "<" {
        shape.includes.push(value.to_owned());
        return Ok(());
    }
    let value = parse_value(value, names)?;
    for key in keys.split(' ') {
        let free = match key {
            "" => return Err("an empty key".into()),
            "*" => shape.other.replace((0, value.clone())).is_none(),
            "$" => shape.scalar.replace(value.clone()).is_none(),
            "!" => shape.unnamed.replace(value.clone()).is_none(),
            "." => !std::mem::replace(&mut shape.dotted, true),
            "~" => !std::mem::replace(&mut shape.repeats, true),
            key => match key.strip_prefix("@index:") {
                Some(of) => shape.other.replace((actions(of)?, value.clone())).is_none(),
                None => shape.keys.insert(key.to_owned(), value.clone()).is_none(),
            },
        };
        if !free {
            return Err(format!("the key {key:?} has a row already"));
        }
    }
    Ok(())
}

/// Copies the rows of included shapes; own rows win.
fn include(shapes: &mut [Shape], names: &[String], at: usize, depth: usize) -> Result<(), String> {
    if depth > names.len() {
        return Err(format!("the shape {:?} includes itself", names[at]));
    }
    for name in std::mem::take(&mut shapes[at].includes) {
        let from = position(names, &name)?;
        include(shapes, names, from, depth + 1)?;
        let other = shapes[from].clone();
        let shape = &mut shapes[at];
        for (key, value) in other.keys {
            shape.keys.entry(key).or_insert(value);
        }
        shape.other = shape.other.take().or(other.other);
        shape.scalar = shape.scalar.take().or(other.scalar);
        shape.unnamed = shape.unnamed.take().or(other.unnamed);
        shape.dotted |= other.dotted;
        shape.repeats |= other.repeats;
    }
    Ok(())
}

fn actions(list: &str) -> Result<u8, String> {
    const WORDS: [&str; 5] = ["read", "write", "manage", "monitor", "admin"];
    list.split('+').try_fold(0, |bits, word| {
        let at = WORDS.iter().position(|known| *known == word);
        Ok(bits | 1 << at.ok_or_else(|| format!("{word:?} is not an action"))?)
    })
}

const READ: u8 = 1;

fn parse_value(text: &str, names: &[String]) -> Result<Value, String> {
    let plain =
        |rust: String| Value { rust, leads_to: Vec::new(), actions: 0, cluster: false, everything: false };
    let acting = |rust: String, actions| Value { actions, ..plain(rust) };
    let leading = |rust: String, to: Vec<usize>| Value { leads_to: to, ..plain(rust) };
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    Ok(match (kind, rest) {
        ("any", "") => plain("Any".into()),
        ("scalar", "") => plain("Scalar".into()),
        ("everything", of) => {
            let beside = if of.is_empty() { 0 } else { actions(of)? };
            Value { everything: true, ..acting(format!("Everything(ActionSet({beside}))"), beside) }
        }
        ("if" | "unless", rest) => {
            let (word, then) = rest.split_once(':').ok_or("write if:<word>:<value>")?;
            let then = parse_value(then, names)?;
            if !then.leads_to.is_empty() {
                return Err("what depends on a word cannot be a shape".into());
            }
            let when = kind == "if";
            let rust = format!("When {{ word: {word:?}, equal: {when}, then: &Spec::{} }}", then.rust);
            Value { rust, ..then }
        }
        ("states", "") => plain("States".into()),
        ("handle", "") => acting("Handle".into(), READ),
        ("sql", "") => acting("Sql".into(), READ),
        ("ppl", "") => acting("Ppl".into(), READ),
        ("index", of) => {
            acting(format!("Index {{ actions: ActionSet({}), main: true }}", actions(of)?), actions(of)?)
        }
        ("name", of) => {
            acting(format!("Index {{ actions: ActionSet({}), main: false }}", actions(of)?), actions(of)?)
        }
        ("pattern", of) => acting(format!("Patterns(ActionSet({}))", actions(of)?), actions(of)?),
        ("rendered", of) => Value {
            everything: true,
            ..acting(format!("Rendered(ActionSet({}))", actions(of)?), actions(of)?)
        },
        ("default", of) => acting(format!("Default(ActionSet({}))", actions(of)?), actions(of)?),
        ("fixed", rest) => {
            let (of, name) = rest.split_once(':').ok_or("write fixed:<actions>:<name>")?;
            acting(format!("Fixed(ActionSet({}), {name:?})", actions(of)?), actions(of)?)
        }
        ("cluster", "admin") => Value { cluster: true, ..plain("ClusterAdmin".into()) },
        ("base64", name) => {
            let at = position(names, name)?;
            leading(format!("Base64({at})"), vec![at])
        }
        ("json", name) => {
            let at = position(names, name)?;
            leading(format!("Json({at})"), vec![at])
        }
        ("filled", name) => {
            let at = position(names, name)?;
            leading(format!("Filled({at})"), vec![at])
        }
        (text, "") => {
            if let Some((object, elements)) = text.split_once(" [") {
                let elements = elements.strip_suffix(']').ok_or("write <shape> [<shape>]")?;
                let (object, elements) = (position(names, object)?, position(names, elements)?);
                leading(format!("Split({object}, {elements})"), vec![object, elements])
            } else {
                let at = position(names, text)?;
                leading(format!("Shape({at})"), vec![at])
            }
        }
        _ => return Err(format!("{text:?} is not a value")),
    })
}

impl Shape {
    fn values(&self) -> impl Iterator<Item = &Value> {
        let other = self.other.iter().map(|(_, value)| value);
        self.keys.values().chain(other).chain(&self.scalar).chain(&self.unnamed)
    }
}

impl Shapes {
    /// The actions that anything in a body of this shape can need, whether the cluster itself can be needed, and
    /// whether anything can be needed at all.
    fn reach(&self, roots: &[usize]) -> (u8, bool, bool) {
        let mut seen = BTreeSet::new();
        let mut open = roots.to_vec();
        let mut reached = (0, false, false);
        while let Some(at) = open.pop() {
            if !seen.insert(at) {
                continue;
            }
            let shape = &self.shapes[at];
            reached.0 |= shape.other.as_ref().map_or(0, |(actions, _)| *actions);
            for value in shape.values() {
                reached.0 |= value.actions;
                reached.1 |= value.cluster;
                reached.2 |= value.everything;
                open.extend(&value.leads_to);
            }
        }
        reached.2 |= reached.1 || reached.0 != 0;
        reached
    }

    pub(crate) fn render(&self) -> String {
        let mut out = format!("static SHAPES: [Shape; {}] = [\n", self.shapes.len());
        for (name, shape) in self.names.iter().zip(&self.shapes) {
            let optional = |value: &Option<Value>| match value {
                Some(value) => format!("Some(Spec::{})", value.rust),
                None => "None".into(),
            };
            let keys = shape.keys.iter().map(|(key, value)| format!("({key:?}, Spec::{})", value.rust));
            let other = match &shape.other {
                Some((actions, value)) => format!("Some((ActionSet({actions}), Spec::{}))", value.rust),
                None => "None".into(),
            };
            let _ = writeln!(
                out,
                "Shape {{ name: {name:?}, keys: &[{}], other: {other}, scalar: {}, unnamed: {}, dotted: {}, repeats: {} }},",
                keys.collect::<Vec<_>>().join(", "),
                optional(&shape.scalar),
                optional(&shape.unnamed),
                shape.dotted,
                shape.repeats,
            );
        }
        out.push_str("];\n");
        for (name, shape) in [("SEARCH", "search"), ("SEARCH_TEMPLATE", "search_template")] {
            let at = self.names.iter().position(|known| known == shape).unwrap_or(usize::MAX);
            let _ = writeln!(out, "const {name}: ShapeId = {at};");
        }
        out
    }

    /// Writes `bodies.tsv` and `surfaces.tsv` as Rust; `operations` are the names of the operations of the table.
    pub(crate) fn render_bodies(
        &self,
        text: &str,
        surfaces: &str,
        operations: &BTreeSet<&str>,
    ) -> Result<String, String> {
        let mut bodies = BTreeMap::new();
        let own = rows::<5>(text, BODIES_HEADER)?.into_iter().map(|row| (true, row));
        let others = rows::<5>(surfaces, BODIES_HEADER)?.into_iter().map(|row| (false, row));
        for (own, (line, [operation, format, shape, unnamed, beyond])) in own.chain(others) {
            let file = if own { "bodies.tsv" } else { "surfaces.tsv" };
            let refuse = |error: String| format!("{file}, line {line}: {error}");
            if own != operations.contains(operation) {
                return Err(refuse(format!(
                    "{operation:?} must be an operation in bodies.tsv, and none in surfaces.tsv"
                )));
            }
            let root = position(&self.names, shape).map_err(refuse)?;
            let (format, then) = match format {
                "json" => ("Json", None),
                "template" => ("Template", None),
                "bulk" => ("Bulk", None),
                "msearch" => ("Searches { template: false }", Some("search")),
                "msearch_template" => ("Searches { template: true }", Some("search_template")),
                _ => return Err(refuse(format!("{format:?} is not a format"))),
            };
            let everything = match unnamed {
                "everything" => true,
                "refused" => false,
                _ => return Err(refuse(format!("{unnamed:?} is neither everything nor refused"))),
            };
            let mut roots = vec![root];
            if let Some(then) = then {
                roots.push(position(&self.names, then).map_err(refuse)?);
            }
            let (actions, cluster, something) = self.reach(&roots);
            if !something {
                return Err(refuse("such a body names nothing".into()));
            }
            let beyond: Vec<&str> = beyond.split_whitespace().collect();
            let row = format!(
                "({operation:?}, Body {{ format: Format::{format}, root: {root}, everything: {everything}, \
                 beyond: &{beyond:?}, actions: ActionSet({actions}), cluster_admin: {cluster} }}),"
            );
            if bodies.insert(operation, row).is_some() {
                return Err(refuse("the operation has a row already".into()));
            }
        }
        let rows: Vec<String> = bodies.into_values().collect();
        Ok(format!("static BODIES: [(&str, Body); {}] = [\n{}\n];\n", rows.len(), rows.join("\n")))
    }
}
