//! The licences of all that is linked into the programs: what their terms ask to be passed on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::files;
use super::packages::Packages;
use crate::Result;

const HEAD: &str = "Third-party software in opensearch-oauth-proxy and opensearch-auth.\n\n\
    Each package with its licence as an SPDX expression, then the texts that came with the packages. The Rust standard\n\
    library and musl are linked in too, under MIT OR Apache-2.0 and MIT.\n\n";

/// The list of packages and, once each, the texts in them.
pub(super) fn text(packages: &Packages) -> Result<String> {
    let mut out = HEAD.to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, package) in packages.iter().filter(|(_, package)| package.checksum.is_some()) {
        let title = format!("{} {}", id.name, id.version);
        let origin = package.repository.as_deref().unwrap_or_default();
        let _ = writeln!(out, "{}", format!("{title}  {}  {origin}", package.licence).trim_end());
        for path in licence_files(&package.folder)? {
            let text = String::from_utf8_lossy(&files::read(&path)?).replace("\r\n", "\n");
            texts.entry(text.trim().to_owned()).or_default().push(title.clone());
        }
    }
    let mut texts: Vec<(Vec<String>, String)> = texts.into_iter().map(|(text, of)| (of, text)).collect();
    texts.sort();
    for (mut of, text) in texts {
        of.dedup();
        let _ = write!(out, "\n{}\nIn {}:\n\n{text}\n", "=".repeat(80), of.join(", "));
    }
    Ok(out)
}

fn licence_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = files::entries(folder)?;
    Ok(entries.into_iter().filter(|path| path.is_file() && is_licence(path)).collect())
}

fn is_licence(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    let code = [".RS", ".TOML"].iter().any(|end| name.ends_with(end));
    let begins = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
    !code && begins.iter().any(|begin| name.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::super::packages::tests::sample;
    use super::*;

    #[test]
    fn a_text_stands_once_under_the_packages_that_have_it() {
        let folder = std::env::temp_dir().join(format!("third-party-{}", std::process::id()));
        files::write(&folder.join("LICENSE-MIT"), "The terms.\r\n").unwrap();
        files::write(&folder.join("license.rs"), "code").unwrap();
        let mut packages = sample();
        let id = |name| super::super::packages::tests::id(name, "1.0.0");
        let library = packages.get_mut(&id("library")).unwrap();
        library.folder.clone_from(&folder);
        let twin = library.clone();
        packages.insert(id("twin"), twin);
        let text = text(&packages).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(
            text.contains("library 1.0.0  MIT OR Apache-2.0  https://example.com/library\ntwin 1.0.0"),
            "{text}"
        );
        assert!(text.ends_with("In library 1.0.0, twin 1.0.0:\n\nThe terms.\n"), "{text}");
        assert!(!text.contains("program 1.0.0"), "{text}");
    }
}
