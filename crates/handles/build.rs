//! Compiles `data/places.tsv` into a static table: a wrong row is an error of the build, and nothing is parsed at start.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

const HEADER: &str = "operation\tkind\tway\tplace\twhen";
/// As in the file, and the variant of `Kind`.
const KINDS: [(&str, &str); 5] = [
    ("scroll", "Scroll"),
    ("pit", "Pit"),
    ("async_search", "AsyncSearch"),
    ("task", "Task"),
    ("sql_cursor", "SqlCursor"),
];

/// What the rows of one operation say, as Rust.
#[derive(Default)]
struct Places {
    used: Vec<String>,
    told: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=data");
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this through cargo")?;
    let places = parse(&fs::read_to_string("data/places.tsv")?)?;
    fs::write(Path::new(&out).join("places.rs"), render(&places)?)?;
    Ok(())
}

fn parse(text: &str) -> Result<BTreeMap<String, Places>, String> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    if lines.next().is_none_or(|(_, line)| line != HEADER) {
        return Err(format!("the first line that is no comment must be {HEADER:?}"));
    }
    let mut operations: BTreeMap<String, Places> = BTreeMap::new();
    for (at, line) in lines {
        row(line, &mut operations).map_err(|error| format!("data/places.tsv, line {}: {error}", at + 1))?;
    }
    Ok(operations)
}

fn row(line: &str, operations: &mut BTreeMap<String, Places>) -> Result<(), String> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [operation, kind, way, place, when] = columns[..] else {
        return Err(format!("{} columns instead of 5", columns.len()));
    };
    let (_, kind) = KINDS
        .into_iter()
        .find(|(word, _)| *word == kind)
        .ok_or_else(|| format!("{kind:?} is not a kind of handle"))?;
    let (place, name) = place.split_once(':').ok_or_else(|| format!("{place:?} names nothing"))?;
    let field = format!("Field {{ path: &{:?}, kind: Kind::{kind} }}", keys(name)?);
    let places = operations.entry(operation.to_owned()).or_default();
    let (rows, new) = match (way, place, when) {
        ("in", "body", "") => (&mut places.used, format!("Used::Body({field})")),
        ("in", _, "") => {
            let (variant, several) = match place {
                "variable" => ("Variable", false),
                "variables" => ("Variable", true),
                "parameter" => ("Parameter", false),
                "parameters" => ("Parameter", true),
                _ => return Err(format!("{place:?} is not a place in a request")),
            };
            let new = format!("Used::{variant} {{ name: {name:?}, kind: Kind::{kind}, several: {several} }}");
            (&mut places.used, new)
        }
        ("out", "field", _) => {
            (&mut places.told, format!("Told {{ field: {field}, when: {} }}", condition(when)?))
        }
        _ => return Err(format!("{way:?}, {place:?} and {when:?} do not go together")),
    };
    if rows.contains(&new) {
        return Err("the row is there twice".to_owned());
    }
    rows.push(new);
    Ok(())
}

fn keys(joined: &str) -> Result<Vec<&str>, String> {
    let keys: Vec<&str> = joined.split('.').collect();
    let good = |key: &&str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if keys.iter().all(good) {
        Ok(keys)
    } else {
        Err(format!("{joined:?} is not a name, nor keys joined by '.'"))
    }
}

fn condition(when: &str) -> Result<String, String> {
    match (when, when.strip_prefix("parameter:")) {
        ("always", _) => Ok("When::Always".to_owned()),
        ("given", _) => Ok("When::Given".to_owned()),
        (_, Some(parameter)) => {
            let (name, value) = match parameter.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (parameter, None),
            };
            Ok(format!("When::Parameter {{ name: {name:?}, value: {value:?} }}"))
        }
        _ => Err(format!("{when:?} is not always, given or parameter:…")),
    }
}

fn render(operations: &BTreeMap<String, Places>) -> Result<String, Box<dyn Error>> {
    let mut out = format!("static PLACES: [Places; {}] = [\n", operations.len());
    for (operation, Places { used, told }) in operations {
        let (used, told) = (used.join(", "), told.join(", "));
        writeln!(out, "    Places {{ operation: {operation:?}, used: &[{used}], told: &[{told}] }},")?;
    }
    out.push_str("];\n");
    Ok(out)
}
