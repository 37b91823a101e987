//! Paths and links in the documentation lead somewhere.

use std::path::PathBuf;

use super::{code_spans, read, root};

#[test]
fn every_path_that_the_architecture_names_is_there() {
    let text = read("ARCHITECTURE.md");
    let named: Vec<&str> = code_spans(&text).into_iter().filter(|span| is_path(span)).collect();
    assert!(named.len() > 30, "only {} paths were found", named.len());
    let missing: Vec<&str> = named.into_iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what is not there: {missing:?}");
}

fn is_path(span: &str) -> bool {
    let begins = ["crates/", "docs/", "deploy/", "examples/", "schema/", "xtask/"];
    begins.iter().any(|begin| span.starts_with(begin)) && !span.contains(['<', ' ', '*'])
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let folder = page.parent().unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if target.contains(':') || (file.is_empty() && anchor.is_empty()) {
                continue;
            }
            let path = if file.is_empty() { page.clone() } else { folder.join(file) };
            let found =
                path.exists() && (anchor.is_empty() || anchors(&path).iter().any(|known| known == anchor));
            if !found {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

/// Every page of documentation.
fn pages() -> Vec<PathBuf> {
    let folders = [root(), root().join("docs"), root().join("docs/decisions"), root().join("deploy")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The anchors of a page's headings, as renderers make them.
fn anchors(page: &PathBuf) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let headings =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings
        .map(|heading| {
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.collect::<String>().to_lowercase().replace(' ', "-")
        })
        .collect()
}
