//! What must be installed: Maven and a JDK.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, TestbedError};

/// A Java development kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jdk {
    /// Its folder, with `bin/java` and `bin/jar` in it.
    pub home: PathBuf,
    /// Its feature version, such as 21.
    pub feature: u32,
}

impl Jdk {
    /// The best JDK of `minimum..=maximum`: that of `JAVA_HOME` if it will do, else the newest found.
    pub fn find(minimum: u32, maximum: u32) -> Result<Self> {
        let java_home = std::env::var_os("JAVA_HOME").map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self::choose(minimum, maximum, java_home.as_deref(), Path::new("/usr/lib/jvm"), &path)
    }

    fn choose(
        minimum: u32,
        maximum: u32,
        java_home: Option<&Path>,
        installed: &Path,
        path: &OsString,
    ) -> Result<Self> {
        let mut seen = BTreeSet::new();
        let mut usable = |home: &Path| {
            let jdk = Self::inspect(home)?;
            seen.insert(jdk.feature);
            (minimum..=maximum).contains(&jdk.feature).then_some(jdk)
        };
        if let Some(jdk) = java_home.and_then(&mut usable) {
            return Ok(jdk);
        }
        let listed =
            std::fs::read_dir(installed).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let on_path = find_program("java", path)
            .and_then(|java| std::fs::canonicalize(java).ok())
            .and_then(|java| Some(java.parent()?.parent()?.to_owned()));
        let best = listed.chain(on_path).filter_map(|home| usable(&home)).max_by_key(|jdk| jdk.feature);
        best.ok_or_else(|| {
            let seen: Vec<String> = seen.iter().map(u32::to_string).collect();
            TestbedError::NoJdk {
                minimum,
                maximum,
                seen: if seen.is_empty() {
                    "none at all".to_owned()
                } else {
                    format!("version {}", seen.join(", "))
                },
            }
        })
    }

    fn inspect(home: &Path) -> Option<Self> {
        let complete = ["bin/java", "bin/jar"].iter().all(|program| home.join(program).is_file());
        let release = std::fs::read_to_string(home.join("release")).ok().filter(|_| complete)?;
        Some(Self { home: home.to_owned(), feature: feature_version(&release)? })
    }

    /// Runs the program `name` of this JDK.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.home.join("bin").join(name)
    }
}

/// The feature version in the `release` file of a JDK: 21 of `JAVA_VERSION="21.0.4"`, 8 of `"1.8.0_392"`.
fn feature_version(release: &str) -> Option<u32> {
    let version =
        release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?.trim().trim_matches('"');
    let version = version.strip_prefix("1.").unwrap_or(version);
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn find_program(name: &str, path: &OsString) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The installed programs that are needed, found before anything else is done.
#[derive(Debug, Clone)]
pub struct Requirements {
    /// For the engine and the identity provider.
    pub jdk: Jdk,
    maven: PathBuf,
    java_on_path: bool,
}

impl Requirements {
    /// Finds them for the engine version, such as `3.4.0`. The 2.x line needs the security manager, which is gone
    /// from JDK 24; the 3.x line needs JDK 21.
    pub fn find(engine_version: &str) -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let maven = find_program("mvn", &path).ok_or(TestbedError::NoMaven)?;
        // Keycloak needs 17, and the flag that creates a shared class archive by itself came with 19.
        let (minimum, maximum) = if engine_version.starts_with("2.") { (17, 21) } else { (21, 99) };
        let java_on_path = std::env::var_os("JAVA_HOME").is_some() || find_program("java", &path).is_some();
        Ok(Self { jdk: Jdk::find(minimum, maximum)?, maven, java_on_path })
    }

    /// Maven, with a Java to run on.
    pub(crate) fn maven(&self) -> Command {
        let mut command = Command::new(&self.maven);
        if !self.java_on_path {
            command.env("JAVA_HOME", &self.jdk.home);
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jdk(folder: &Path, name: &str, version: &str) -> PathBuf {
        let home = folder.join(name);
        std::fs::create_dir_all(home.join("bin")).unwrap();
        for program in ["java", "jar"] {
            std::fs::write(home.join("bin").join(program), "").unwrap();
        }
        std::fs::write(home.join("release"), format!("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"{version}\"\n"))
            .unwrap();
        home
    }

    #[test]
    fn versions_of_release_files() {
        for (text, expected) in [
            ("JAVA_VERSION=\"21.0.4\"", Some(21)),
            ("JAVA_VERSION=\"1.8.0_392\"", Some(8)),
            ("A=1\nJAVA_VERSION=\"25\"\n", Some(25)),
            ("JAVA_VERSION=\"x\"", None),
            ("", None),
        ] {
            assert_eq!(feature_version(text), expected, "{text}");
        }
    }

    #[test]
    fn the_newest_in_range_is_chosen_but_java_home_wins() {
        let temp = tempfile::tempdir().unwrap();
        let jvm = temp.path().join("jvm");
        jdk(&jvm, "a", "17.0.1");
        let newest = jdk(&jvm, "b", "25");
        let own = jdk(temp.path(), "own", "21.0.1");
        let nowhere = OsString::new();
        let find = |min, max, home: Option<&Path>| Jdk::choose(min, max, home, &jvm, &nowhere);
        assert_eq!(find(21, 99, None).unwrap().home, newest);
        assert_eq!(find(21, 99, Some(&own)).unwrap(), Jdk { home: own.clone(), feature: 21 });
        assert_eq!(find(11, 21, None).unwrap().feature, 17);
        let error = find(26, 99, Some(&own)).unwrap_err().to_string();
        assert!(error.contains("version 17, 21, 25") && error.contains("apt-get"), "{error}");
    }

    #[test]
    fn a_runtime_without_development_tools_does_not_do() {
        let temp = tempfile::tempdir().unwrap();
        let home = jdk(temp.path(), "jre", "21");
        std::fs::remove_file(home.join("bin/jar")).unwrap();
        let error = Jdk::choose(21, 99, None, temp.path(), &OsString::new()).unwrap_err().to_string();
        assert!(error.contains("none at all"), "{error}");
    }
}
