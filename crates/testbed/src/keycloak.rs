//! The identity provider: what it is to be, and the process.

mod client;
mod home;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub use client::KeycloakInfo;

use crate::cache::{create_dir, remove_dir};
use crate::ports::ensure_port_free;
use crate::{Cache, Process, Requirements, Result, Task, TestbedError};
pub(crate) use home::REALM;
use home::{DATABASE, KeycloakHome};

/// How long a boot may take on a busy machine.
const BOOT_LIMIT: Duration = Duration::from_mins(3);

/// The administrator of all realms, as fixed as the other accounts of this provider, which only this machine reaches.
const ADMIN_USER: &str = "admin";
const ADMIN_PASSWORD: &str = "admin-password";

/// What the identity provider is to be.
#[derive(Debug, Clone)]
pub struct KeycloakConfig {
    /// Version of Keycloak.
    pub version: String,
    /// HTTP port on 127.0.0.1; part of the issuer.
    pub port: u16,
    /// Folder of its database and logs. Emptied before the start.
    pub data_dir: PathBuf,
}

impl KeycloakConfig {
    /// Keycloak 26.7.3.
    pub fn new(port: u16, data_dir: PathBuf) -> Self {
        Self { version: "26.7.3".to_owned(), port, data_dir }
    }
}

/// A running Keycloak. Killed when dropped, unless [released](Keycloak::release).
#[derive(Debug)]
pub struct Keycloak {
    info: KeycloakInfo,
    process: Process,
}

impl Keycloak {
    /// Builds the program and imports the realms if that was not done yet, starts it and waits until it answers.
    pub async fn start(
        config: &KeycloakConfig,
        cache: &Cache,
        requirements: &Requirements,
        task: &Task,
    ) -> Result<Self> {
        ensure_port_free(config.port, "Keycloak", "--keycloak-port")?;
        let home = KeycloakHome::get(&config.version, cache, requirements, &|doing| task.say(doing)).await?;
        task.say("booting");
        remove_dir(&config.data_dir)?;
        create_dir(&config.data_dir)?;
        fs::copy(&home.database, config.data_dir.join(DATABASE))
            .map_err(TestbedError::file("copy", &home.database))?;
        let classes = cache.root().join("classes-keycloak");
        create_dir(&classes)?;
        let url = format!("http://127.0.0.1:{}", config.port);
        let mut command =
            java(&home.program, requirements, &classes.join(archive_name(&config.version, requirements)));
        command
            .args([
                "start",
                "--optimized",
                "--http-enabled=true",
                "--http-host=127.0.0.1",
                // One node: without it, ports for others would be opened on every address.
                "--cache=local",
            ])
            .arg(format!("--http-port={}", config.port))
            .arg(format!("--hostname={url}"))
            .env("KC_DB_URL", database_url(&config.data_dir));
        let log = config.data_dir.join("console.log");
        let mut process = Process::spawn("Keycloak", command, &log)?;
        let info = KeycloakInfo {
            version: config.version.clone(),
            issuer: format!("{url}/realms/opensearch"),
            foreign_issuer: format!("{url}/realms/other"),
            url,
            admin_user: ADMIN_USER.to_owned(),
            admin_password: ADMIN_PASSWORD.to_owned(),
            console_log: log,
            process: process.id(),
        };
        process.wait_until(BOOT_LIMIT, async || info.is_ready().await).await?;
        task.done(&format!("up at {}", info.url));
        Ok(Self { info, process })
    }

    /// How to reach it.
    pub fn info(&self) -> &KeycloakInfo {
        &self.info
    }

    /// Stops it. Its folder stays, for its logs.
    pub async fn stop(self) -> Result<()> {
        self.process.stop().await
    }

    /// Leaves it running when this program ends.
    pub fn release(self) -> KeycloakInfo {
        self.process.release();
        self.info
    }
}

fn archive_name(version: &str, requirements: &Requirements) -> String {
    format!("keycloak-{version}-jdk{}.jsa", requirements.jdk.feature)
}

fn database_url(folder: &Path) -> String {
    format!("jdbc:h2:file:{}/keycloak;NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE", folder.display())
}

fn java_options() -> Vec<&'static str> {
    vec![
        "-Xms64m",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        // A short life: the optimising compiler would cost more than it gains.
        "-XX:TieredStopAtLevel=1",
        "-Dfile.encoding=UTF-8",
        "-Duser.language=en",
        "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=\
         io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    ]
}

/// The server as its script would start it, but as our own child.
fn java(program: &Path, requirements: &Requirements, archive: &Path) -> Command {
    let mut command = Command::new(requirements.jdk.program("java"));
    command.env_clear().current_dir(program);
    command.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
    command.args(java_options());
    for package in ["java.util", "java.util.concurrent", "java.security", "java.lang"] {
        command.arg(format!("--add-opens=java.base/{package}=ALL-UNNAMED"));
    }
    if requirements.jdk.feature >= 19 {
        command.args(["-Xlog:disable", "-XX:+AutoCreateSharedArchive"]);
        command.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
        command.arg("--enable-native-access=ALL-UNNAMED");
    }
    command
        .arg(format!("-Dkc.home.dir={}", program.display()))
        .arg(format!("-Djboss.server.config.dir={}/conf", program.display()))
        .args([
            "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
            "-Dpicocli.disable.closures=true",
            "-Dkc.config.built=true",
            "-cp",
        ])
        .arg(program.join("lib/quarkus-run.jar"))
        .arg("io.quarkus.bootstrap.runner.QuarkusEntryPoint");
    command
}
