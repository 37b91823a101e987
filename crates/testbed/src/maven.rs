//! Downloads by Maven.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::cache::{create_dir, write};
use crate::process::Process;
use crate::{Cache, Requirements, Result, TestbedError};

/// A published artifact.
#[derive(Debug, Clone)]
pub(crate) struct Artifact {
    pub(crate) group: &'static str,
    pub(crate) id: &'static str,
    pub(crate) version: String,
    /// `jar` or `zip`.
    pub(crate) kind: &'static str,
    /// Whether what it depends on is wanted too.
    pub(crate) with_dependencies: bool,
}

/// Artifacts that belong into one folder.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    pub(crate) folder: &'static str,
    pub(crate) artifacts: Vec<Artifact>,
}

/// Downloads each bundle into its own folder below `work`. One run of Maven for all of them, and only one such run at
/// a time: a local Maven repository is not safe for several at once.
pub(crate) async fn download(
    what: &str,
    bundles: &[Bundle],
    work: &Path,
    cache: &Cache,
    requirements: &Requirements,
) -> Result<()> {
    write(&work.join("pom.xml"), reactor(bundles))?;
    for bundle in bundles {
        let folder = work.join(bundle.folder);
        create_dir(&folder)?;
        write(&folder.join("pom.xml"), module(bundle))?;
    }
    let logs = cache.root().join("logs");
    create_dir(&logs)?;
    let log = logs.join(format!("download-{}.log", what.replace(' ', "-")));
    let mut command = requirements.maven();
    command
        .args([
            "--batch-mode",
            "--quiet",
            "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
        ])
        .arg("-DoutputDirectory=${project.basedir}")
        .current_dir(work);
    let _lock = cache.lock("maven").await?;
    let status = Process::spawn("mvn", command, &log)?.wait().await?;
    if status.success() {
        return Ok(());
    }
    let output = fs::read(&log).unwrap_or_default();
    let detail = failing_artifact(&String::from_utf8_lossy(&output)).map(|line| format!(": {line}"));
    Err(TestbedError::Download { what: what.to_owned(), detail: detail.unwrap_or_default(), log })
}

/// The line of Maven's output that tells which artifact is missing and why.
fn failing_artifact(output: &str) -> Option<String> {
    let errors = || output.lines().filter_map(|line| line.strip_prefix("[ERROR]")).map(str::trim);
    errors()
        .find(|line| line.contains("Could not ") || line.contains("was not found in"))
        .or_else(|| errors().find(|line| !line.is_empty()))
        .map(str::to_owned)
}

const PROJECT: &str =
    "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>";

fn reactor(bundles: &[Bundle]) -> String {
    let mut pom = format!(
        "{PROJECT}<groupId>testbed</groupId><artifactId>all</artifactId><version>1</version>\
         <packaging>pom</packaging><modules>"
    );
    for bundle in bundles {
        // Writing to a string cannot fail.
        let _ = write!(pom, "<module>{}</module>", bundle.folder);
    }
    pom + "</modules></project>\n"
}

fn module(bundle: &Bundle) -> String {
    let mut pom = format!(
        "{PROJECT}<parent><groupId>testbed</groupId><artifactId>all</artifactId><version>1</version></parent>\
         <artifactId>bundle-{}</artifactId><packaging>pom</packaging><dependencies>",
        bundle.folder
    );
    for Artifact { group, id, version, kind, with_dependencies } in &bundle.artifacts {
        let alone =
            "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>";
        let _ = write!(
            pom,
            "<dependency><groupId>{group}</groupId><artifactId>{id}</artifactId><version>{version}</version>\
             <type>{kind}</type>{}</dependency>",
            if *with_dependencies { "" } else { alone }
        );
    }
    pom + "</dependencies></project>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failing_artifact_is_found_in_the_output() {
        let output = "[WARNING] x\n[ERROR] Failed to execute goal\n\
            [ERROR] Could not transfer artifact a:b:zip:1 from/to central: timed out\n[ERROR] \n[ERROR] -> [Help 1]\n";
        assert_eq!(
            failing_artifact(output).unwrap(),
            "Could not transfer artifact a:b:zip:1 from/to central: timed out"
        );
        assert_eq!(failing_artifact("[ERROR] \n[ERROR] no such plugin\n").unwrap(), "no such plugin");
        assert_eq!(failing_artifact(""), None);
    }

    #[test]
    fn each_bundle_is_a_module_of_its_own() {
        let artifact =
            Artifact { group: "g", id: "i", version: "1".to_owned(), kind: "zip", with_dependencies: false };
        let bundles = [
            Bundle { folder: "one", artifacts: vec![artifact.clone()] },
            Bundle { folder: "two", artifacts: vec![Artifact { with_dependencies: true, ..artifact }] },
        ];
        assert!(reactor(&bundles).contains("<module>one</module><module>two</module>"));
        assert!(module(&bundles[0]).contains("<exclusion>"));
        assert!(!module(&bundles[1]).contains("<exclusion>"));
    }
}
