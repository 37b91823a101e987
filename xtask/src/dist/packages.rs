//! The packages that end up in a program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Release, build, files};
use crate::cargo::cargo;
use crate::{Result, XtaskError};

/// Packages by name and version.
pub(super) type Packages = BTreeMap<Id, Package>;

/// Name and version. All come from one registry, so nothing else is needed to tell them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) name: String,
    pub(super) version: String,
}

#[derive(Debug, Clone)]
pub(super) struct Package {
    /// An SPDX expression.
    pub(super) licence: String,
    pub(super) repository: Option<String>,
    /// SHA-256 of what the registry delivered, in hex. None for packages of this project.
    pub(super) checksum: Option<String>,
    /// Where its source is.
    pub(super) folder: PathBuf,
    /// What it uses of the others.
    pub(super) uses: BTreeSet<Id>,
}

/// What is linked into a program, itself included. What only helps to build it, procedural macros for one, is not.
pub(super) async fn linked_into(name: &str, release: &Release) -> Result<Packages> {
    let target = build::target();
    let tree = ["tree", "--locked", "--package", name, "--target", &target, "--prefix", "none"];
    let tree = [&tree[..], &["--edges", "normal,no-proc-macro", "--format", "{p}"]].concat();
    let linked = tree_ids(&cargo(&tree).within(&release.source).output().await?);
    let metadata = ["metadata", "--locked", "--format-version", "1", "--filter-platform", &target];
    let metadata = cargo(&metadata).within(&release.source).output().await?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(XtaskError::Metadata)?;
    let lock = files::read(&release.source.join("Cargo.lock"))?;
    Ok(packages(&metadata, &linked, &checksums(&String::from_utf8_lossy(&lock))))
}

/// The packages that `cargo tree` lists: `name v1.2.3`, with a folder behind it for those of the workspace.
fn tree_ids(tree: &str) -> BTreeSet<Id> {
    let id = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        let version = rest.split(' ').next()?.to_owned();
        Some(Id { name: name.to_owned(), version })
    };
    tree.lines().filter_map(id).collect()
}

fn packages(metadata: &Value, linked: &BTreeSet<Id>, checksums: &BTreeMap<Id, String>) -> Packages {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let id_of = |package: &Value| Id { name: text(&package["name"]), version: text(&package["version"]) };
    let all = array(&metadata["packages"]);
    let ids: BTreeMap<String, Id> =
        all.iter().map(|package| (text(&package["id"]), id_of(package))).collect();
    let nodes: BTreeMap<String, Value> = array(&metadata["resolve"]["nodes"])
        .into_iter()
        .map(|node| (text(&node["id"]), node["deps"].clone()))
        .collect();
    let uses = |package: &Value| {
        let edges = nodes.get(&text(&package["id"])).map(array).unwrap_or_default();
        let normal = edges.into_iter().filter(|edge| {
            edge["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
        });
        let ids = normal.filter_map(|edge| ids.get(&text(&edge["pkg"])).cloned());
        ids.filter(|id| linked.contains(id)).collect()
    };
    let described = all.iter().filter(|package| linked.contains(&id_of(package))).map(|package| {
        let manifest = text(&package["manifest_path"]);
        let id = id_of(package);
        let package = Package {
            licence: spdx(&text(&package["license"])),
            repository: package["repository"].as_str().map(str::to_owned),
            checksum: checksums.get(&id).cloned(),
            folder: Path::new(&manifest).parent().map(Path::to_owned).unwrap_or_default(),
            uses: uses(package),
        };
        (id, package)
    });
    described.collect()
}

/// Older manifests write `MIT/Apache-2.0` where SPDX has `MIT OR Apache-2.0`.
fn spdx(licence: &str) -> String {
    licence.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

/// The checksums in a `Cargo.lock`.
fn checksums(lock: &str) -> BTreeMap<Id, String> {
    let entries = lock.split("[[package]]").skip(1);
    let entry = |text: &str| {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
            Some(line.trim_matches('"').to_owned())
        };
        Some((Id { name: value("name")?, version: value("version")? }, value("checksum")?))
    };
    entries.filter_map(entry).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn id(name: &str, version: &str) -> Id {
        Id { name: name.to_owned(), version: version.to_owned() }
    }

    /// A program that uses one library, and would use another for its tests.
    pub(crate) fn sample() -> Packages {
        let package = |name: &str, licence: &str, repository: Option<&str>| {
            json!({"id": name, "name": name, "version": "1.0.0", "license": licence, "repository": repository,
                "manifest_path": format!("/nowhere/{name}/Cargo.toml")})
        };
        let edge = |to: &str, kind: Option<&str>| json!({"pkg": to, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [
                package("program", "Apache-2.0", None),
                package("library", "MIT/Apache-2.0", Some("https://example.com/library")),
                package("for-tests", "MIT", None),
            ],
            "resolve": {"nodes": [
                {"id": "program", "deps": [edge("library", None), edge("for-tests", Some("dev"))]},
                {"id": "library", "deps": []},
                {"id": "for-tests", "deps": [edge("library", None)]},
            ]},
        });
        let tree = "program v1.0.0 (/nowhere/program)\nlibrary v1.0.0\nlibrary v1.0.0 (*)\n";
        let lock = "version = 4\n\n[[package]]\nname = \"library\"\nversion = \"1.0.0\"\n\
            source = \"registry\"\nchecksum = \"ab12\"\n\n[[package]]\nname = \"program\"\nversion = \"1.0.0\"\n";
        packages(&metadata, &tree_ids(tree), &checksums(lock))
    }

    #[test]
    fn what_is_linked_is_described_and_nothing_else() {
        let packages = sample();
        let [(library, about), (program, of_program)] = &packages.iter().collect::<Vec<_>>()[..] else {
            panic!("other packages: {packages:?}")
        };
        assert_eq!((*library, *program), (&id("library", "1.0.0"), &id("program", "1.0.0")));
        assert_eq!(about.licence, "MIT OR Apache-2.0");
        assert_eq!(about.checksum.as_deref(), Some("ab12"));
        assert_eq!(about.folder, Path::new("/nowhere/library"));
        assert_eq!(of_program.checksum, None);
        assert_eq!(of_program.uses, BTreeSet::from([id("library", "1.0.0")]));
    }
}
