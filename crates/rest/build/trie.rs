//! The trie of path templates, with the older prefix of the plugins' paths.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::rows::{self, Row};

/// Plugins that still answer under `/_opendistro`, where they had their routes before `/_plugins`. Each row
/// under `/_plugins/<name>` holds under `/_opendistro/<name>` too.
const OPENDISTRO: [&str; 8] = [
    "_asynchronous_search",
    "_ism",
    "_knn",
    "_ppl",
    "_refresh_search_analyzers",
    "_rollup",
    "_security",
    "_sql",
];

#[derive(Default)]
pub(crate) struct Node {
    literals: BTreeMap<String, usize>,
    variable: Option<usize>,
    handlers: BTreeMap<&'static str, usize>,
}

pub(crate) fn build(rows: &[Row]) -> Result<Vec<Node>, String> {
    let mut nodes = vec![Node::default()];
    for (at, row) in rows.iter().enumerate() {
        insert(&mut nodes, row, &rows::segments(&row.path)?, at)?;
        if let Some(older) = older_path(&row.path) {
            insert(&mut nodes, row, &rows::segments(&older)?, at)?;
        }
    }
    if nodes.len() > usize::from(u16::MAX) {
        return Err("the trie outgrew its 16-bit positions".into());
    }
    Ok(nodes)
}

fn older_path(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/_plugins/")?;
    let plugin = rest.split('/').next()?;
    OPENDISTRO.contains(&plugin).then(|| format!("/_opendistro/{rest}"))
}

fn insert(nodes: &mut Vec<Node>, row: &Row, segments: &[&str], operation: usize) -> Result<(), String> {
    let mut at = 0;
    for segment in segments {
        let new = nodes.len();
        let next = if rows::variable(segment).is_some() {
            *nodes[at].variable.get_or_insert(new)
        } else {
            *nodes[at].literals.entry((*segment).to_owned()).or_insert(new)
        };
        if next == new {
            nodes.push(Node::default());
        }
        at = next;
    }
    match nodes[at].handlers.insert(row.method, operation) {
        None => Ok(()),
        Some(_) => Err(format!("two rows match {} {}", row.method, row.path)),
    }
}

pub(crate) fn render(nodes: &[Node]) -> String {
    let mut out = format!("static NODES: [Node; {}] = [\n", nodes.len());
    for Node { literals, variable, handlers } in nodes {
        out.push_str("Node { literals: &[");
        for (literal, at) in literals {
            let _ = write!(out, "({literal:?}, {at}), ");
        }
        let _ = write!(out, "], variable: {variable:?}, handlers: &[");
        for (method, at) in handlers {
            let _ = write!(out, "(Method::{method}, {at}), ");
        }
        out.push_str("] },\n");
    }
    out.push_str("];\n");
    out
}
