//! Both systems side by side.

use std::path::{Path, PathBuf};

use crate::cache::create_dir;
use crate::info::recipe;
use crate::ports::ensure_port_free;
use crate::{
    Cache, Engine, EngineConfig, Keycloak, KeycloakConfig, Progress, Requirements, Result, TestbedInfo,
    sample_data,
};

/// Clients that the engine would let speak for others, so that tests see such a header when it gets through.
const IMPERSONATORS: [&str; 3] = ["langchain-agent", "ops", "alice"];

/// What a testbed is to be.
#[derive(Debug, Clone)]
pub struct TestbedOptions {
    /// HTTPS port of the engine; the port 100 above is used between its nodes.
    pub engine_port: u16,
    /// HTTP port of Keycloak.
    pub keycloak_port: u16,
    /// Version of the engine.
    pub engine_version: String,
}

impl Default for TestbedOptions {
    /// The usual ports: 9200 and 8180, and engine 3.4.0.
    fn default() -> Self {
        Self { engine_port: 9200, keycloak_port: 8180, engine_version: "3.4.0".to_owned() }
    }
}

/// A running engine with sample data and a running Keycloak. Both are killed when it is dropped, unless
/// [released](Testbed::release).
#[derive(Debug)]
pub struct Testbed {
    engine: Engine,
    keycloak: Keycloak,
    info: TestbedInfo,
    info_path: PathBuf,
}

impl Testbed {
    /// Checks what is needed, boots both, and fills in the sample data. The info file is in the folder of the engine.
    pub async fn start(options: &TestbedOptions, progress: &Progress) -> Result<Self> {
        let requirements = Requirements::find(&options.engine_version)?;
        ensure_port_free(options.engine_port, "OpenSearch", "--engine-port")?;
        ensure_port_free(options.keycloak_port, "Keycloak", "--keycloak-port")?;
        let cache = Cache::open()?;
        if let Some(note) = cache.note() {
            progress.note(note);
        }
        let run = cache.root().join("run");
        create_dir(&run)?;
        let engine = async {
            let task = progress.task("OpenSearch");
            let config = EngineConfig {
                version: options.engine_version.clone(),
                impersonators: IMPERSONATORS.map(str::to_owned).to_vec(),
                ..EngineConfig::new(options.engine_port, run.join(format!("engine-{}", options.engine_port)))
            };
            let engine = Engine::start(&config, &cache, &requirements, &task).await?;
            sample_data(engine.info()).await?;
            Ok(engine)
        };
        let keycloak = async {
            let task = progress.task("Keycloak");
            let data_dir = run.join(format!("keycloak-{}", options.keycloak_port));
            Keycloak::start(
                &KeycloakConfig::new(options.keycloak_port, data_dir),
                &cache,
                &requirements,
                &task,
            )
            .await
        };
        let (engine, keycloak) = tokio::try_join!(engine, keycloak)?;
        let info = TestbedInfo {
            engine: engine.info().clone(),
            keycloak: keycloak.info().clone(),
            recipe: recipe(),
        };
        let info_path = info.engine.data_dir.join("testbed.json");
        info.write(&info_path)?;
        Ok(Self { engine, keycloak, info, info_path })
    }

    /// How to reach them.
    pub fn info(&self) -> &TestbedInfo {
        &self.info
    }

    /// The file that holds [`info`](Self::info), for `OPENSEARCH_OAUTH_TESTBED`.
    pub fn info_path(&self) -> &Path {
        &self.info_path
    }

    /// Stops both.
    pub async fn stop(self) -> Result<()> {
        let (engine, keycloak) = tokio::join!(self.engine.stop(), self.keycloak.stop());
        engine.and(keycloak)
    }

    /// Leaves both running when this program ends.
    pub fn release(self) -> TestbedInfo {
        self.engine.release();
        self.keycloak.release();
        self.info
    }
}
