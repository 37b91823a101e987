//! A node of the engine: what it is to be, and the process.

mod client;
mod home;
mod settings;

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub use client::{AuditLog, EngineInfo};

use crate::cache::{create_dir, effective_uid, give_to, remove_dir};
use crate::certs::Certificates;
use crate::ports::{ensure_port_free, free_ports};
use crate::{Cache, Process, Requirements, Result, Task, TestbedError};
use home::EngineHome;
pub(crate) use settings::SECURITY;

/// Under which account the engine runs when we are root, which it refuses to be. `nobody` on common systems.
const UNPRIVILEGED: u32 = 65_534;
/// How long a boot may take on a busy machine.
const BOOT_LIMIT: Duration = Duration::from_mins(4);

/// Files of the initial security configuration by name (`config.yml`, `roles.yml`, …), replacing those of the testbed.
#[derive(Debug, Clone, Default)]
pub struct SecurityFiles(pub Vec<(String, String)>);

/// What a node is to be.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Version of the engine: 3.4.0, or 2.19.4.
    pub version: String,
    /// HTTPS port on 127.0.0.1.
    pub port: u16,
    /// Port between the nodes, on 127.0.0.1.
    pub transport_port: u16,
    /// Heap in MiB.
    pub heap: u32,
    /// Folder of its data, configuration and logs. Emptied before the start.
    pub data_dir: PathBuf,
    /// Replaces files of the initial security configuration.
    pub security: SecurityFiles,
    /// Users that may speak for every other user by the header `opendistro_security_impersonate_as`. A test that
    /// such a header does not get through proves something only if the engine would have believed it.
    pub impersonators: Vec<String>,
    /// Further lines of `opensearch.yml`.
    pub extra_settings: Vec<String>,
    /// Joins the cluster of this node, as a node that holds no data: it answers with the same data, and nothing is
    /// lost when it is killed.
    pub join: Option<EngineInfo>,
}

impl EngineConfig {
    /// A node of version 3.4.0 with a heap of 512 MiB.
    pub fn new(port: u16, data_dir: PathBuf) -> Self {
        Self {
            version: "3.4.0".to_owned(),
            port,
            transport_port: port.saturating_add(100),
            heap: 512,
            data_dir,
            security: SecurityFiles::default(),
            impersonators: Vec::new(),
            extra_settings: Vec::new(),
            join: None,
        }
    }

    /// A second node for `first`, on free ports, with its data folder beside that of `first`.
    pub fn joining(first: &EngineInfo) -> Result<Self> {
        let [port, transport_port] = free_ports()?;
        let data_dir = first.data_dir.with_file_name(format!("engine-{port}"));
        Ok(Self {
            version: first.version.clone(),
            heap: 384,
            transport_port,
            join: Some(first.clone()),
            ..Self::new(port, data_dir)
        })
    }
}

/// A running node. Killed when dropped, unless [released](Engine::release).
#[derive(Debug)]
pub struct Engine {
    info: EngineInfo,
    process: Process,
}

impl Engine {
    /// Assembles the program if it is not in the cache, starts a node and waits until it answers.
    pub async fn start(
        config: &EngineConfig,
        cache: &Cache,
        requirements: &Requirements,
        task: &Task,
    ) -> Result<Self> {
        ensure_port_free(config.port, "OpenSearch", "--engine-port")?;
        ensure_port_free(config.transport_port, "the nodes of OpenSearch among themselves", "--engine-port")?;
        let home = EngineHome::get(&config.version, cache, requirements, &|doing| task.say(doing)).await?;
        task.say("booting");
        remove_dir(&config.data_dir)?;
        for folder in ["data", "logs", "tmp"] {
            create_dir(&config.data_dir.join(folder))?;
        }
        let certs = config.data_dir.join("certs");
        let certificates = match &config.join {
            None => Certificates::generate(&certs)?,
            Some(first) => Certificates::in_folder(&first.data_dir.join("certs")),
        };
        let plugin_defaults = home.program.join("plugins/opensearch-security/config");
        settings::configure(config, &certificates, &home.credentials, &plugin_defaults)?;
        let archive = class_archive(config, cache, requirements)?;
        if effective_uid() == 0 {
            for folder in ["config", "data", "logs", "tmp"] {
                give_to(&config.data_dir.join(folder), UNPRIVILEGED)?;
            }
        }
        let log = config.data_dir.join("console.log");
        let command = java(config, &home.program, requirements, &archive);
        let mut process = Process::spawn("OpenSearch", command, &log)?;
        let info = EngineInfo {
            version: config.version.clone(),
            url: format!("https://127.0.0.1:{}", config.port),
            transport_address: format!("127.0.0.1:{}", config.transport_port),
            ca: certificates.ca,
            admin_user: "admin".to_owned(),
            admin_password: home.credentials.admin.password,
            dashboards_user: "kibanaserver".to_owned(),
            dashboards_password: home.credentials.dashboards.password,
            admin_cert: certificates.admin,
            admin_key: certificates.admin_key,
            audit_log: config.data_dir.join("logs/audit.log"),
            console_log: log,
            data_dir: config.data_dir.clone(),
            process: process.id(),
        };
        let client = info.client()?;
        process.wait_until(BOOT_LIMIT, async || client.is_ready().await).await?;
        task.done(&format!("up at {}", info.url));
        Ok(Self { info, process })
    }

    /// How to reach it.
    pub fn info(&self) -> &EngineInfo {
        &self.info
    }

    /// Stops it. Its folder stays, for its logs.
    pub async fn stop(self) -> Result<()> {
        self.process.stop().await
    }

    /// Leaves it running when this program ends.
    pub fn release(self) -> EngineInfo {
        self.process.release();
        self.info
    }
}

/// The archive of loaded classes that the JVM makes when it ends and reads at the next start, which saves a third of
/// the boot. Its folder belongs to the account of the engine.
fn class_archive(config: &EngineConfig, cache: &Cache, requirements: &Requirements) -> Result<PathBuf> {
    let folder = cache.root().join("classes-engine");
    create_dir(&folder)?;
    if effective_uid() == 0 {
        give_to(&folder, UNPRIVILEGED)?;
    }
    Ok(folder.join(format!("opensearch-{}-jdk{}.jsa", config.version, requirements.jdk.feature)))
}

fn java(config: &EngineConfig, program: &Path, requirements: &Requirements, archive: &Path) -> Command {
    let data = &config.data_dir;
    let mut command = Command::new(requirements.jdk.program("java"));
    command.env_clear().current_dir(program);
    command
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("HOSTNAME", "localhost")
        .env("HOME", data);
    if effective_uid() == 0 {
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    }
    let flag = |name: &str, value: &Path| format!("-D{name}={}", value.display());
    command.args([
        format!("-Xms{}m", config.heap),
        format!("-Xmx{}m", config.heap),
        "-Xss1m".to_owned(),
        "-XX:+UseG1GC".to_owned(),
        "-XX:MaxDirectMemorySize=256m".to_owned(),
        // A short life: the optimising compiler would cost more than it gains.
        "-XX:TieredStopAtLevel=1".to_owned(),
        format!("-XX:ErrorFile={}/logs/hs_err_%p.log", data.display()),
        flag("java.io.tmpdir", &data.join("tmp")),
        flag("jna.tmpdir", &data.join("tmp")),
        flag("opensearch.path.home", program),
        flag("opensearch.path.conf", &data.join("config")),
    ]);
    command.args([
        "-Djna.nosys=true",
        "-Djava.awt.headless=true",
        "-Dfile.encoding=UTF-8",
        "-Dio.netty.noUnsafe=true",
        "-Dio.netty.noKeySetOptimization=true",
        "-Dio.netty.recycler.maxCapacityPerThread=0",
        "-Dio.netty.allocator.numDirectArenas=0",
        "-Dlog4j.shutdownHookEnabled=false",
        "-Dlog4j2.disable.jmx=true",
        "-Dopensearch.networkaddress.cache.ttl=60",
        "-Dopensearch.networkaddress.cache.negative.ttl=10",
        "-Dopensearch.distribution.type=zip",
        "-Dopensearch.bundled_jdk=false",
    ]);
    if config.version.starts_with("2.") {
        command.args([
            "-Djava.security.manager=allow",
            "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=\
             org.opensearch.secure_sm.SecuredForkJoinWorkerThreadFactory",
        ]);
    } else {
        command.arg(format!("-javaagent:{}/agent/opensearch-agent.jar", program.display()));
        command.arg("--enable-native-access=ALL-UNNAMED");
    }
    if requirements.jdk.feature >= 19 {
        command.args(["-XX:+UnlockDiagnosticVMOptions", "-XX:+AllowArchivingWithJavaAgent"]);
        // The JVM would tell at each start that it cannot use every part of the archive.
        command.args(["-Xlog:disable", "-XX:+AutoCreateSharedArchive"]);
        command.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
    }
    command.arg("-cp").arg(format!("{}/lib/*", program.display())).arg("org.opensearch.bootstrap.OpenSearch");
    command
}

/// What the log of a data folder holds, for messages.
pub(crate) fn read_log(path: &Path) -> Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(TestbedError::file("read", path)),
    }
}
