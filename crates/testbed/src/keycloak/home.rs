//! Assembles the program folder of the identity provider and a database that holds the realms already.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{ADMIN_PASSWORD, ADMIN_USER, database_url, java_options};
use crate::cache::{create_dir, remove_dir, write};
use crate::maven::{Artifact, Bundle, download};
use crate::process::run;
use crate::{Cache, Requirements, Result};

/// Raised whenever the recipe below changes, so that older folders are not used any more.
const RECIPE: u32 = 1;

/// The realm of the tests and the demo.
pub(crate) const REALM: &str = include_str!("../../data/realm-opensearch.json");

/// Options that are fixed when the server is built; `start --optimized` takes them as they are.
const BUILD: [&str; 5] = [
    "build",
    "--db=dev-file",
    "--transaction-xa-enabled=false",
    "--health-enabled=false",
    "--metrics-enabled=false",
];

/// What is in the cache for one version.
#[derive(Debug, Clone)]
pub(crate) struct KeycloakHome {
    /// The program, built.
    pub(crate) program: PathBuf,
    /// A database file to start from.
    pub(crate) database: PathBuf,
}

impl KeycloakHome {
    /// Finds it in the cache, or downloads, builds and imports. `say` is told what goes on.
    pub(crate) async fn get(
        version: &str,
        cache: &Cache,
        requirements: &Requirements,
        say: &dyn Fn(&str),
    ) -> Result<Self> {
        let name = format!("keycloak-{version}-{RECIPE}");
        let folder = cache
            .folder(&name, async |work: &Path| build(version, work, cache, requirements, say).await)
            .await?;
        let program = folder.join(format!("keycloak-{version}"));
        let mut hasher = DefaultHasher::new();
        (RECIPE, REALM, ADMIN_USER, ADMIN_PASSWORD).hash(&mut hasher);
        let realms = format!("{name}-realms-{:016x}", hasher.finish());
        let folder = cache
            .folder(&realms, async |work: &Path| {
                say("importing the realms, once");
                import(&program, work, requirements).await
            })
            .await?;
        Ok(Self { program, database: folder.join(DATABASE) })
    }
}

/// The only file of the database, after the server has ended.
pub(crate) const DATABASE: &str = "keycloak.mv.db";

async fn build(
    version: &str,
    work: &Path,
    cache: &Cache,
    requirements: &Requirements,
    say: &dyn Fn(&str),
) -> Result<()> {
    say("downloading, once (about 180 MB)");
    let downloads = work.join("downloads");
    create_dir(&downloads)?;
    let distribution = Artifact {
        group: "org.keycloak",
        id: "keycloak-quarkus-dist",
        version: version.to_owned(),
        kind: "zip",
        with_dependencies: false,
    };
    let bundle = Bundle { folder: "distribution", artifacts: vec![distribution] };
    download(&format!("Keycloak {version}"), &[bundle], &downloads, cache, requirements).await?;
    say("building, once");
    let mut unpack = Command::new(requirements.jdk.program("jar"));
    unpack
        .arg("--extract")
        .arg("--file")
        .arg(downloads.join("distribution").join(format!("keycloak-quarkus-dist-{version}.zip")))
        .current_dir(work);
    run("jar", unpack, &work.join("unpack.log")).await?;
    let program = work.join(format!("keycloak-{version}"));
    // The build records no path of its own, so the folder may be renamed afterwards.
    run("the build of Keycloak", script(&program, requirements, &BUILD), &work.join("build.log")).await?;
    remove_dir(&downloads)
}

async fn import(program: &Path, work: &Path, requirements: &Requirements) -> Result<()> {
    let realms = work.join("realms");
    create_dir(&realms)?;
    write(&realms.join("opensearch-realm.json"), REALM)?;
    write(&realms.join("other-realm.json"), foreign_realm())?;
    let directory = format!("--dir={}", realms.display());
    let mut command = script(program, requirements, &["import", "--optimized", "--cache=local", &directory]);
    command.env("KC_DB_URL", database_url(work));
    run("the import of the realms", command, &work.join("import.log")).await?;
    // The administrator that a first start would create is not created for a database that exists.
    let administrator = ["bootstrap-admin", "user", "--optimized", "--no-prompt"];
    let mut command = script(program, requirements, &administrator);
    command
        .args(["--username", ADMIN_USER, "--password:env", "TESTBED_PASSWORD"])
        .env("TESTBED_PASSWORD", ADMIN_PASSWORD)
        .env("KC_DB_URL", database_url(work));
    run("the creation of the administrator", command, &work.join("admin.log")).await
}

/// A realm with the same clients, whose tokens the proxy must not accept.
fn foreign_realm() -> String {
    REALM.replacen("\"realm\": \"opensearch\"", "\"realm\": \"other\"", 1)
}

/// A command of the server's own script, for what is no server.
fn script(program: &Path, requirements: &Requirements, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command
        .arg(program.join("bin/kc.sh"))
        .args(arguments)
        .env("JAVA", requirements.jdk.program("java"))
        .env("JAVA_OPTS", java_options().join(" "))
        .current_dir(program);
    for variable in ["JAVA_OPTS_APPEND", "JAVA_OPTS_KC_HEAP", "KC_DB_URL", "KC_DEBUG", "DEBUG"] {
        command.env_remove(variable);
    }
    command
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn realm() -> Value {
        serde_json::from_str(REALM).unwrap()
    }

    #[test]
    fn the_foreign_realm_differs_by_name_only() {
        let mut foreign: Value = serde_json::from_str(&foreign_realm()).unwrap();
        assert_eq!(foreign["realm"], "other");
        foreign["realm"] = "opensearch".into();
        assert_eq!(foreign, realm());
    }

    #[test]
    fn every_scope_a_client_may_ask_for_exists() {
        let realm = realm();
        let names: Vec<&Value> =
            realm["clientScopes"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
        for client in realm["clients"].as_array().unwrap() {
            for kind in ["defaultClientScopes", "optionalClientScopes"] {
                for scope in client[kind].as_array().unwrap() {
                    assert!(names.contains(&scope), "{scope} of {}", client["clientId"]);
                }
            }
        }
    }

    #[test]
    fn secrets_follow_the_rule_that_the_info_states() {
        for client in realm()["clients"].as_array().unwrap() {
            let id = client["clientId"].as_str().unwrap();
            if client["publicClient"] == false {
                assert_eq!(client["secret"], crate::KeycloakInfo::secret(id), "{id}");
            }
        }
    }
}
