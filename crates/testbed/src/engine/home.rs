//! Assembles the program folder of the engine: distribution, missing modules, security plugin.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

use crate::cache::{create_dir, open_for_reading, remove_dir, write, write_secret};
use crate::maven::{Artifact, Bundle, download};
use crate::process::run;
use crate::{Cache, Jdk, Requirements, Result, TestbedError};

/// Raised whenever the recipe below changes, so that older folders are not used any more.
const RECIPE: u32 = 1;

/// Modules that the published archive lacks, and the artifact that holds each.
const MODULES: [(&str, &str); 11] = [
    ("aggs-matrix-stats", "aggs-matrix-stats-client"),
    ("analysis-common", "analysis-common"),
    ("ingest-common", "ingest-common"),
    ("lang-expression", "lang-expression"),
    ("lang-mustache", "lang-mustache-client"),
    ("lang-painless", "lang-painless"),
    ("mapper-extras", "mapper-extras-client"),
    ("parent-join", "parent-join-client"),
    ("percolator", "percolator-client"),
    ("rank-eval", "rank-eval-client"),
    ("reindex", "reindex-client"),
];

/// Classes that compiled expressions may load.
const EXPRESSION_CLASSES: [&str; 7] = [
    "java.lang.Math",
    "java.lang.String",
    "org.apache.lucene.expressions.Expression",
    "org.apache.lucene.expressions.js.ExpressionMath",
    "org.apache.lucene.search.DoubleValues",
    "org.apache.lucene.util.MathUtil",
    "org.apache.lucene.util.SloppyMath",
];

/// Users of the engine's own database and their passwords, made once for each assembled folder.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) admin: Credential,
    pub(crate) dashboards: Credential,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Credential {
    pub(crate) password: String,
    /// bcrypt, made by the plugin's own tool.
    pub(crate) hash: String,
}

#[cfg(test)]
impl Credentials {
    pub(crate) fn example() -> Self {
        let credential = Credential { password: "example".to_owned(), hash: "$2y$example".to_owned() };
        Self { admin: credential.clone(), dashboards: credential }
    }
}

/// The program folder of one version.
#[derive(Clone)]
pub(crate) struct EngineHome {
    pub(crate) program: PathBuf,
    pub(crate) credentials: Credentials,
}

impl EngineHome {
    /// Finds it in the cache, or downloads and assembles it. `say` is told what goes on.
    pub(crate) async fn get(
        version: &str,
        cache: &Cache,
        requirements: &Requirements,
        say: &dyn Fn(&str),
    ) -> Result<Self> {
        let name = format!("opensearch-{version}-{RECIPE}");
        let folder = cache
            .folder(&name, async |work: &Path| assemble(version, work, cache, requirements, say).await)
            .await?;
        let path = folder.join(CREDENTIALS);
        let text = fs::read(&path).map_err(TestbedError::file("read", &path))?;
        let credentials = serde_json::from_slice(&text).map_err(|error| TestbedError::Assembly {
            what: format!("OpenSearch {version}"),
            reason: format!("{} is damaged ({error})", path.display()),
            path: folder.clone(),
        })?;
        Ok(Self { program: folder.join("home"), credentials })
    }
}

const CREDENTIALS: &str = "credentials.json";

async fn assemble(
    version: &str,
    work: &Path,
    cache: &Cache,
    requirements: &Requirements,
    say: &dyn Fn(&str),
) -> Result<()> {
    let recipe = Recipe { version, work, jdk: &requirements.jdk };
    say("downloading, once (about 200 MB)");
    let downloads = work.join("downloads");
    create_dir(&downloads)?;
    download(&format!("OpenSearch {version}"), &recipe.bundles(), &downloads, cache, requirements).await?;
    say("assembling, once");
    let home = recipe.unpack_distribution(&downloads).await?;
    let shared = library_stems(&home.join("lib"))?;
    for (module, artifact) in MODULES {
        recipe.add_module(&home, &downloads.join(module), module, artifact, &shared).await?;
    }
    recipe.add_security_plugin(&home, &downloads).await?;
    let credentials =
        Credentials { admin: recipe.credential(&home).await?, dashboards: recipe.credential(&home).await? };
    let json = serde_json::to_vec(&credentials).map_err(|error| recipe.failed(&error.to_string()))?;
    write_secret(&work.join(CREDENTIALS), json)?;
    open_for_reading(&home)?;
    remove_dir(&downloads)
}

struct Recipe<'a> {
    version: &'a str,
    work: &'a Path,
    jdk: &'a Jdk,
}

impl Recipe<'_> {
    fn failed(&self, reason: &str) -> TestbedError {
        TestbedError::Assembly {
            what: format!("OpenSearch {}", self.version),
            reason: reason.to_owned(),
            path: self.work.to_owned(),
        }
    }

    fn plugin_version(&self) -> String {
        format!("{}.0", self.version)
    }

    fn bundles(&self) -> Vec<Bundle> {
        let archive =
            |group, id, version| Artifact { group, id, version, kind: "zip", with_dependencies: false };
        let version = || self.version.to_owned();
        let mut bundles = vec![
            Bundle {
                folder: "distribution",
                artifacts: vec![archive(
                    "org.opensearch.distribution.integ-test-zip",
                    "opensearch",
                    version(),
                )],
            },
            Bundle {
                folder: "security",
                artifacts: vec![
                    archive("org.opensearch.plugin", "opensearch-security", self.plugin_version()),
                    Artifact {
                        group: "org.apache.commons",
                        id: "commons-collections4",
                        version: "4.5.0".to_owned(),
                        kind: "jar",
                        with_dependencies: false,
                    },
                ],
            },
        ];
        bundles.extend(MODULES.map(|(folder, id)| Bundle {
            folder,
            artifacts: vec![Artifact {
                group: "org.opensearch.plugin",
                id,
                version: version(),
                kind: "jar",
                with_dependencies: true,
            }],
        }));
        bundles
    }

    async fn unpack(&self, archive: &Path, into: &Path) -> Result<()> {
        create_dir(into)?;
        let mut command = Command::new(self.jdk.program("jar"));
        command.arg("--extract").arg("--file").arg(archive).current_dir(into);
        run("jar", command, &self.work.join("unpack.log")).await
    }

    async fn unpack_distribution(&self, downloads: &Path) -> Result<PathBuf> {
        let archive = downloads.join("distribution").join(format!("opensearch-{}.zip", self.version));
        self.unpack(&archive, self.work).await?;
        let unpacked = self.work.join(format!("opensearch-{}", self.version));
        let home = self.work.join("home");
        fs::rename(&unpacked, &home).map_err(TestbedError::file("rename", &unpacked))?;
        // Not needed here, and each module costs time at every start.
        remove_dir(&home.join("modules/transport-grpc"))?;
        Ok(home)
    }

    /// Puts the jars of a module into place and writes the descriptor that the artifact does not carry.
    async fn add_module(
        &self,
        home: &Path,
        jars: &Path,
        module: &str,
        artifact: &str,
        shared: &BTreeSet<String>,
    ) -> Result<()> {
        let target = home.join("modules").join(module);
        create_dir(&target)?;
        for jar in files(jars)? {
            let Some(name) = jar.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            // The engine refuses to start when a class is found twice, so what is in `lib` must not be here again.
            let is_jar = jar.extension().is_some_and(|extension| extension == "jar");
            if is_jar && !shared.contains(library_stem(name)) {
                copy(&jar, &target.join(name))?;
            }
        }
        let main_jar = target.join(format!("{artifact}-{}.jar", self.version));
        let class = self.plugin_class(&main_jar).await?;
        // These two extend the script language, and are loaded after it.
        let extends =
            if matches!(module, "analysis-common" | "ingest-common") { "lang-painless" } else { "" };
        let java = if self.version.starts_with("2.") { 11 } else { 21 };
        let version = self.version;
        let descriptor = format!(
            "description={module}\nname={module}\nversion={version}\nopensearch.version={version}\n\
             java.version={java}\nclassname={class}\nextended.plugins={extends}\ncustom.foldername=\n\
             has.native.controller=false\n"
        );
        write(&target.join("plugin-descriptor.properties"), descriptor)?;
        match policy(module) {
            Some(policy) => write(&target.join("plugin-security.policy"), policy),
            None => Ok(()),
        }
    }

    /// The class with which a module enters the engine: by custom `…ModulePlugin` or `…Plugin`.
    async fn plugin_class(&self, jar: &Path) -> Result<String> {
        let log = self.work.join("list.log");
        let mut command = Command::new(self.jdk.program("jar"));
        command.arg("--list").arg("--file").arg(jar);
        run("jar", command, &log).await?;
        let listing = fs::read_to_string(&log).map_err(TestbedError::file("read", &log))?;
        plugin_class(&listing).ok_or_else(|| self.failed(&format!("{} holds no plugin class", jar.display())))
    }

    async fn add_security_plugin(&self, home: &Path, downloads: &Path) -> Result<()> {
        let folder = home.join("plugins/opensearch-security");
        let artifacts = downloads.join("security");
        self.unpack(&artifacts.join(format!("opensearch-security-{}.zip", self.plugin_version())), &folder)
            .await?;
        // From 3.4 on the plugin extends a module that is not published. It is needed for workload-management rules
        // only, but also brought this library along.
        let has = |stem: &str| Ok::<_, TestbedError>(library_stems(&folder)?.contains(stem));
        if !has("commons-collections4")? {
            for jar in
                files(&artifacts)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "jar"))
            {
                copy(&jar, &folder.join(jar.file_name().unwrap_or_default()))?;
            }
        }
        let path = folder.join("plugin-descriptor.properties");
        let text = fs::read_to_string(&path).map_err(TestbedError::file("read", &path))?;
        write(&path, with_optional_rule_framework(&text))
    }

    /// A new random password and its hash.
    async fn credential(&self, home: &Path) -> Result<Credential> {
        let mut random = [0_u8; 20];
        let source = Path::new("/dev/urandom");
        fs::File::open(source)
            .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut random))
            .map_err(TestbedError::file("read", source))?;
        let password = BASE32_NOPAD.encode(&random).to_lowercase();
        let log = self.work.join("hash.log");
        let class_path = format!("{}/plugins/opensearch-security/*:{}/lib/*", home.display(), home.display());
        let mut command = Command::new(self.jdk.program("java"));
        // By variable, for a command line can be read by every account.
        command
            .args(["-XX:TieredStopAtLevel=1", "-cp", &class_path, "org.opensearch.security.tools.Hasher"])
            .args(["-env", "TESTBED_PASSWORD"])
            .env("TESTBED_PASSWORD", &password);
        run("the password hasher", command, &log).await?;
        let output = fs::read_to_string(&log).map_err(TestbedError::file("read", &log))?;
        let hash = output
            .lines()
            .find(|line| line.starts_with("$2"))
            .ok_or_else(|| self.failed("the password hasher printed no hash"))?;
        Ok(Credential { password, hash: hash.trim().to_owned() })
    }
}

fn plugin_class(listing: &str) -> Option<String> {
    let classes = || listing.lines().filter_map(|line| line.trim().strip_suffix(".class"));
    let ending = |end: &str| classes().find(|class| class.ends_with(end) && !class.contains('$'));
    // The 2.x line named some of them without `Module`.
    ending("ModulePlugin").or_else(|| ending("Plugin")).map(|class| class.replace('/', "."))
}

fn with_optional_rule_framework(descriptor: &str) -> String {
    let optional = |line: &str| {
        let Some(plugins) = line.strip_prefix("extended.plugins=") else {
            return line.to_owned();
        };
        let plugins: Vec<String> = plugins
            .split(',')
            .map(|plugin| match plugin.trim() {
                "rule-framework" => "rule-framework;optional=true".to_owned(),
                other => other.to_owned(),
            })
            .collect();
        format!("extended.plugins={}", plugins.join(","))
    };
    descriptor.lines().map(|line| optional(line) + "\n").collect()
}

/// What a module may do beyond the default, in the format of Java policy files.
fn policy(module: &str) -> Option<String> {
    let runtime = |name: &str| format!("  permission java.lang.RuntimePermission \"{name}\";\n");
    let permissions = match module {
        "lang-painless" => runtime("createClassLoader") + &runtime("getClassLoader"),
        "lang-mustache" => runtime("accessDeclaredMembers"),
        "reindex" => "  permission java.net.SocketPermission \"*\", \"connect\";\n  \
                      permission java.net.NetPermission \"getProxySelector\";\n"
            .to_owned(),
        "lang-expression" => {
            let class = |class| format!("  permission org.opensearch.script.ClassPermission \"{class}\";\n");
            runtime("createClassLoader") + &EXPRESSION_CLASSES.map(class).concat()
        }
        _ => return None,
    };
    Some(format!("grant {{\n{permissions}}};\n"))
}

/// The names of the libraries in a folder, without version.
fn library_stems(folder: &Path) -> Result<BTreeSet<String>> {
    let names = files(folder)?;
    let stems = names.iter().filter_map(|path| Some(library_stem(path.file_name()?.to_str()?).to_owned()));
    Ok(stems.collect())
}

/// `asm-tree` of `asm-tree-9.7.jar`.
fn library_stem(file: &str) -> &str {
    let stem = file.strip_suffix(".jar").unwrap_or(file);
    let version =
        stem.match_indices('-').find(|(at, _)| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    version.map_or(stem, |(at, _)| &stem[..at])
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(TestbedError::file("list", folder))?;
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| p.is_file()).collect();
    paths.sort();
    Ok(paths)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).map_err(TestbedError::file("copy", from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_libraries_without_their_version() {
        for (file, stem) in [
            ("asm-tree-9.7.jar", "asm-tree"),
            ("commons-collections4-4.5.0.jar", "commons-collections4"),
            ("log4j-api-2.21.0.jar", "log4j-api"),
            ("opensearch-agent.jar", "opensearch-agent"),
            ("t-digest-3.3.jar", "t-digest"),
        ] {
            assert_eq!(library_stem(file), stem);
        }
    }

    #[test]
    fn the_plugin_class_is_no_inner_class() {
        let listing =
            "META-INF/\norg/x/XModulePlugin$1.class\norg/x/Other.class\norg/x/XModulePlugin.class\n";
        assert_eq!(plugin_class(listing).unwrap(), "org.x.XModulePlugin");
        let older = "org/x/MatrixAggregationPlugin.class\n";
        assert_eq!(plugin_class(older).unwrap(), "org.x.MatrixAggregationPlugin");
        assert_eq!(plugin_class("org/x/Plugin.txt\n"), None);
    }

    #[test]
    fn only_the_unpublished_module_becomes_optional() {
        for (before, after) in [
            ("extended.plugins=rule-framework", "extended.plugins=rule-framework;optional=true"),
            (
                "extended.plugins=a;optional=true,rule-framework;optional=true",
                "extended.plugins=a;optional=true,rule-framework;optional=true",
            ),
            ("name=rule-framework", "name=rule-framework"),
            ("extended.plugins=", "extended.plugins="),
        ] {
            assert_eq!(with_optional_rule_framework(before), format!("{after}\n"));
        }
    }
}
