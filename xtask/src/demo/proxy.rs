//! The proxy's folder, its set-up commands and its process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use http::Method;
use testbed::{Certificates, EngineInfo, Process, RestClient, TestbedInfo};

use crate::{Result, XtaskError};

/// The configuration that the demo runs, for the usual ports.
const TEMPLATE: &str = include_str!("../../../examples/quickstart/proxy.yml");
const BOOT_LIMIT: Duration = Duration::from_secs(30);

/// The addresses in the template, which the demo replaces by its own.
const PROXY: &str = "127.0.0.1:8443";
const ADMIN: &str = "127.0.0.1:9600";
const ENGINE: &str = "https://127.0.0.1:9200";
const KEYCLOAK: &str = "http://127.0.0.1:8180";

/// The proxy's program and folder.
#[derive(Debug)]
pub(super) struct Installation {
    pub(super) program: PathBuf,
    pub(super) config: PathBuf,
    /// The authority of the proxy's own certificate.
    pub(super) ca: PathBuf,
    pub(super) audit: PathBuf,
    pub(super) log: PathBuf,
}

impl Installation {
    /// Makes the folder: configuration, certificates, the key for signing.
    pub(super) fn create(
        program: PathBuf,
        folder: &Path,
        info: &TestbedInfo,
        port: u16,
        admin_port: u16,
    ) -> Result<Self> {
        let failed = |source| XtaskError::Write { path: folder.display().to_string(), source };
        if folder.exists() {
            std::fs::remove_dir_all(folder).map_err(failed)?;
        }
        let certificates = Certificates::generate(&folder.join("certs"))?;
        let installation = Self {
            program,
            config: folder.join("proxy.yml"),
            ca: certificates.ca,
            audit: folder.join("audit.jsonl"),
            log: folder.join("proxy.log"),
        };
        for (from, to) in [
            (&certificates.node, "server.pem"),
            (&certificates.node_key, "server-key.pem"),
            (&info.engine.ca, "engine-ca.pem"),
        ] {
            std::fs::copy(from, folder.join(to)).map_err(failed)?;
        }
        let config = configuration(port, admin_port, &info.engine.url, &info.keycloak.url);
        std::fs::write(&installation.config, config).map_err(failed)?;
        let key = folder.join("signing-key.pem").display().to_string();
        installation.run(&["keygen", "--out", &key], None)?;
        Ok(installation)
    }

    /// Teaches the engine to believe the proxy, and makes sure that it does.
    pub(super) fn set_up_engine(&self, engine: &EngineInfo) -> Result<()> {
        for step in ["--apply", "--check"] {
            self.run(&self.engine_setup(step, &engine.admin_user), Some(&engine.admin_password))?;
        }
        Ok(())
    }

    /// The arguments of a set-up command.
    pub(super) fn engine_setup<'a>(&'a self, step: &'a str, user: &'a str) -> [&'a str; 6] {
        ["engine-setup", "--config", self.config.to_str().unwrap_or("proxy.yml"), step, "--admin-user", user]
    }

    /// Starts the server and waits until it is ready.
    pub(super) async fn serve(&self, admin_url: &str) -> Result<Process> {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(&self.config);
        let mut process = Process::spawn("the proxy", command, &self.log)?;
        let admin = RestClient::new(admin_url, None, None)?;
        process
            .wait_until(BOOT_LIMIT, async || match admin.call(&Method::GET, "/readyz", None).await {
                Ok(answer) if answer.status.is_success() => Ok(()),
                Ok(answer) => Err(format!("it says {}", answer.body)),
                Err(error) => Err(error.to_string()),
            })
            .await?;
        Ok(process)
    }

    /// Runs a subcommand to its end.
    fn run(&self, arguments: &[&str], password: Option<&str>) -> Result<()> {
        let shown = format!("opensearch-oauth-proxy {}", arguments.join(" "));
        let mut command = Command::new(&self.program);
        command.args(arguments);
        if let Some(password) = password {
            command.env("OPENSEARCH_ADMIN_PASSWORD", password);
        }
        let output =
            command.output().map_err(|source| XtaskError::Spawn { command: shown.clone(), source })?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(XtaskError::FailedWithOutput {
            command: shown,
            output: String::from_utf8_lossy(&said).into_owned(),
        })
    }
}

fn configuration(port: u16, admin_port: u16, engine: &str, keycloak: &str) -> String {
    TEMPLATE
        .replace(PROXY, &format!("127.0.0.1:{port}"))
        .replace(ADMIN, &format!("127.0.0.1:{admin_port}"))
        .replace(ENGINE, engine)
        .replace(KEYCLOAK, keycloak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_the_template_is_replaced() {
        let config = configuration(1, 2, "https://127.0.0.1:3", "http://127.0.0.1:4");
        for port in ["8443", "9600", "9200", "8180"] {
            assert!(TEMPLATE.contains(port), "{port}");
            assert!(!config.contains(port), "{port} in {config}");
        }
    }
}
