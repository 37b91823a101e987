//! The program as a process, with a home of its own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::provider::Provider;
use crate::server::Server;

/// A home folder in which the program is run.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// Standard output of a run that went well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        self.out
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// What a run said that did not go well, and ended with this code.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:#?}");
        self.err
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        // Stands for a browser: it follows where it is sent.
        let browser = ("BROWSER".to_owned(), "curl --silent --location --output /dev/null %s".to_owned());
        Self { folder: TempDir::new().unwrap(), variables: vec![browser] }
    }

    /// With a context `main` for the proxy.
    pub(crate) async fn with_context(proxy: &Server) -> Self {
        let home = Self::new();
        home.run(&["contexts", "add", "main", "--url", &proxy.url()]).await.ok();
        home
    }

    /// Logged in.
    pub(crate) async fn logged_in(proxy: &Server, _provider: &Provider) -> Self {
        let home = Self::with_context(proxy).await;
        home.run(&["login", "--provider", "keycloak"]).await.ok();
        home
    }

    pub(crate) fn variable(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file of the program.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(".opensearch").join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        std::fs::metadata(self.file(name)).unwrap().permissions().mode() & 0o7777
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.file(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_opensearch-auth"));
        command.args(arguments).env_clear().env("HOME", self.path()).env("PATH", "/usr/bin:/bin");
        command.envs(self.variables.iter().cloned());
        command.current_dir(self.path()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().await.unwrap();
        Run {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts it, to be spoken to while it runs.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}
