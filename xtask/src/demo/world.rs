//! Everything that runs during the demo.

use std::path::PathBuf;

use testbed::{Cache, Process, Progress, RestClient, Testbed, TestbedInfo, TestbedOptions};

use super::proxy::Installation;
use crate::testbed_command::running;
use crate::{Ports, Result};

/// OpenSearch and Keycloak: started here, or kept running by `cargo xtask testbed up`.
#[derive(Debug)]
pub(super) struct Systems {
    info: TestbedInfo,
    own: Option<Testbed>,
}

/// Those that run, or new ones.
pub(super) async fn systems(ports: &Ports, progress: &Progress) -> Result<Systems> {
    if let Some((_, info)) = running()? {
        progress.note(&format!(
            "using the OpenSearch and Keycloak that `testbed up` keeps, at {}",
            info.engine.url
        ));
        return Ok(Systems { info, own: None });
    }
    let options = TestbedOptions {
        engine_port: ports.engine_port,
        keycloak_port: ports.keycloak_port,
        ..TestbedOptions::default()
    };
    let testbed = Testbed::start(&options, progress).await?;
    Ok(Systems { info: testbed.info().clone(), own: Some(testbed) })
}

/// The systems and the proxy in front of them.
#[derive(Debug)]
pub(super) struct World {
    pub(super) info: TestbedInfo,
    pub(super) installation: Installation,
    /// The proxy's address.
    pub(super) url: String,
    /// The address of its metrics and health.
    pub(super) admin_url: String,
    /// Calls the proxy without a token.
    pub(super) client: RestClient,
    proxy: Process,
    systems: Option<Testbed>,
}

impl World {
    /// Sets up the proxy and starts it.
    pub(super) async fn create(
        systems: Systems,
        program: PathBuf,
        port: u16,
        admin_port: u16,
        progress: &Progress,
    ) -> Result<Self> {
        let task = progress.task("Proxy");
        let Systems { info, own } = systems;
        let folder = Cache::open()?.root().join("run").join(format!("demo-{port}"));
        let installation = Installation::create(program, &folder, &info, port, admin_port)?;
        task.say("setting up the engine: one role for each scope, and the key that it believes");
        installation.set_up_engine(&info.engine)?;
        task.say("starting");
        let url = format!("https://127.0.0.1:{port}");
        let admin_url = format!("http://127.0.0.1:{admin_port}");
        let proxy = installation.serve(&admin_url).await?;
        let client = RestClient::new(&url, Some(&installation.ca), None)?;
        task.done(&format!("up at {url}"));
        Ok(Self { info, installation, url, admin_url, client, proxy, systems: own })
    }

    /// Stops what was started here: the proxy first, as it would otherwise miss the others.
    pub(super) async fn stop(self) -> Result<()> {
        self.proxy.stop().await?;
        match self.systems {
            Some(systems) => Ok(systems.stop().await?),
            None => Ok(()),
        }
    }
}
