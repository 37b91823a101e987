//! Every reason code is explained in docs/operations.md, and nothing there is made up.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{code_spans, read, root, table};

#[test]
fn every_reason_code_is_explained() {
    let text = read("docs/operations.md");
    let explained: BTreeSet<String> = table(&text, "reason-codes")
        .iter()
        .flat_map(|cells| code_spans(cells[0]))
        .map(str::to_owned)
        .collect();
    let known = known();
    assert!(known.len() > 80, "only {} codes were found in the source", known.len());
    let missing: Vec<_> = known.difference(&explained).collect();
    let made_up: Vec<_> = explained.difference(&known).collect();
    assert!(
        missing.is_empty() && made_up.is_empty(),
        "not explained: {missing:#?}; not in the source: {made_up:#?}"
    );
}

/// Every code in the source.
fn known() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let sources =
        ["engine", "oidc", "proxy", "rest"].map(|name| root().join("crates").join(name).join("src"));
    for source in sources.iter().flat_map(|folder| rust_files(folder)) {
        // Errors that concern a body are of no client's concern before the proxy reads bodies.
        if source.ends_with("body/refusal.rs") && !bodies_are_read() {
            continue;
        }
        let text = std::fs::read_to_string(&source).unwrap();
        codes.extend(text.split("pub fn reason").skip(1).map(function_body).flat_map(literals));
        codes.extend(text.split("pub const fn reason").skip(1).map(function_body).flat_map(literals));
    }
    // A row of the table of violations: name, label, status, section, words.
    let violations = read("crates/wire/src/violation.rs");
    let rows = violations.lines().filter(|line| line.trim_end().ends_with("\";") && line.starts_with("    "));
    codes.extend(rows.filter_map(|row| row.split('"').nth(1)).map(str::to_owned));
    codes.extend(of_verdicts(&read("crates/proxy/src/respond.rs")));
    for path in ["crates/proxy/src/pipeline.rs", "crates/proxy/src/record.rs"] {
        let source = read(path);
        let assigned =
            source.split("record.reason = Some(\"").skip(1).filter_map(|rest| rest.split('"').next());
        codes.extend(assigned.map(str::to_owned));
    }
    // Faults of the proxy's own paths that have a code beside that of OAuth.
    let faults = read("crates/proxy/src/token_api/answer.rs");
    let own = faults.split("reason: \"").skip(1).filter_map(|rest| rest.split('"').next());
    codes.extend(own.map(str::to_owned));
    codes
}

fn bodies_are_read() -> bool {
    read("crates/proxy/src/lib.rs").contains("mod inspect;")
}

/// Every source file in a folder that belongs to its crate: a file that no `mod` names is somebody's draft.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && is_declared(&path) {
            found.push(path);
        }
    }
    found
}

fn is_declared(path: &Path) -> bool {
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let folder = path.parent().unwrap();
    let parents = [folder.join("lib.rs"), folder.join("main.rs"), folder.with_extension("rs")];
    let declares = |parent: &PathBuf| {
        std::fs::read_to_string(parent).is_ok_and(|text| text.contains(&format!("mod {name};")))
    };
    matches!(name, "lib" | "main") || parents.iter().any(declares)
}

/// The codes written out in the table of verdicts: the texts between a layer and what follows, or beside a status.
fn of_verdicts(source: &str) -> Vec<String> {
    let production = source.split("#[cfg(test)]").next().unwrap_or_default();
    let calls = production.split("Verdict::new(").skip(1).filter_map(|call| {
        // Status, layer, reason, detail: a reason that is not a literal comes from a method `reason`.
        let arguments: Vec<&str> = call.split(';').next()?.split(',').map(str::trim).collect();
        let literal = arguments.get(2)?.strip_prefix('"')?.strip_suffix('"')?;
        Some(literal.to_owned())
    });
    let upstream = production.split("fn of_upstream").nth(1).map(function_body).unwrap_or_default();
    calls.chain(literals(upstream).into_iter().filter(|text| text.starts_with("engine_"))).collect()
}

/// The text of a function from its signature to the brace that closes it.
fn function_body(text: &str) -> &str {
    let mut depth = 0_u32;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return &text[..at],
            '}' => depth -= 1,
            _ => {}
        }
    }
    text
}

/// String literals that look like codes.
fn literals(text: &str) -> Vec<String> {
    let is_code = |text: &&str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text.split('"').skip(1).step_by(2).filter(is_code).map(str::to_owned).collect()
}
