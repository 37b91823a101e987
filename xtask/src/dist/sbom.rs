//! The bill of materials of a program, in the form of [CycloneDX 1.6](https://cyclonedx.org/docs/1.6/json/).

use serde_json::{Value, json};

use super::Release;
use super::packages::{Id, Package, Packages};

/// The packages linked into the program `name`, and the standard library of the compiler.
pub(super) fn cyclonedx(name: &str, release: &Release, compiler: &str, packages: &Packages) -> Value {
    let of_program = |id: &Id| id.name == name;
    let main = packages.iter().find(|(id, _)| of_program(id));
    let libraries = packages.iter().filter(|(id, _)| !of_program(id));
    let mut components: Vec<Value> =
        libraries.map(|(id, package)| component("library", id, package)).collect();
    // `rustc 1.95.0 (…)`
    let version = compiler.split(' ').nth(1).unwrap_or(compiler);
    components.push(json!({
        "type": "library",
        "bom-ref": format!("rust-std@{version}"),
        "name": "rust-std",
        "version": version,
        "description": format!("The standard library of {compiler}, with musl"),
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
    }));
    let dependencies: Vec<Value> = packages
        .iter()
        .map(|(id, package)| {
            let uses: Vec<String> = package.uses.iter().map(reference).collect();
            json!({"ref": reference(id), "dependsOn": uses})
        })
        .collect();
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": release.date,
            "component": main.map(|(id, package)| component("application", id, package)),
            "properties": [{"name": "commit", "value": release.commit}],
        },
        "components": components,
        "dependencies": dependencies,
    })
}

fn reference(id: &Id) -> String {
    format!("{}@{}", id.name, id.version)
}

fn component(kind: &str, id: &Id, package: &Package) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": reference(id),
        "name": id.name,
        "version": id.version,
        "licenses": [{"expression": package.licence}],
    });
    if let Some(checksum) = &package.checksum {
        component["purl"] = format!("pkg:cargo/{}", reference(id)).into();
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    if let Some(repository) = &package.repository {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    component
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;

    use super::super::packages::tests::sample;
    use super::*;

    pub(crate) fn release() -> Release {
        Release {
            source: PathBuf::new(),
            version: "1.0.0".to_owned(),
            epoch: "0".to_owned(),
            date: "1970-01-01T00:00:00Z".to_owned(),
            commit: "c0ffee".to_owned(),
        }
    }

    #[test]
    fn everything_linked_is_listed_with_its_origin() {
        let bom = cyclonedx("program", &release(), "rustc 1.95.0 (abc 2026-04-14)", &sample());
        assert_eq!(bom["metadata"]["component"]["bom-ref"], "program@1.0.0");
        let names: Vec<&str> = bom["components"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|part| part["bom-ref"].as_str())
            .collect();
        assert_eq!(names, ["library@1.0.0", "rust-std@1.95.0"]);
        let library = &bom["components"][0];
        assert_eq!(library["purl"], "pkg:cargo/library@1.0.0");
        assert_eq!(library["hashes"][0]["content"], "ab12");
        assert_eq!(bom["dependencies"][1], json!({"ref": "program@1.0.0", "dependsOn": ["library@1.0.0"]}));
    }
}
