//! The file that tells tests where the testbed is.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::write_secret;
use crate::{EngineInfo, KeycloakInfo, Result, TestbedError};

/// The environment variable that names the file.
pub const INFO_VARIABLE: &str = "OPENSEARCH_OAUTH_TESTBED";

/// Everything a test needs to reach the testbed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TestbedInfo {
    /// The engine, with the [sample data](crate::sample_data) in it.
    pub engine: EngineInfo,
    /// The identity provider.
    pub keycloak: KeycloakInfo,
    /// What it was made of: see [`is_current`](Self::is_current).
    #[serde(default)]
    pub recipe: String,
}

impl TestbedInfo {
    /// The testbed that `OPENSEARCH_OAUTH_TESTBED` names. Without it there is nothing to test against, and the error
    /// says how to get one.
    pub fn from_env() -> Result<Self> {
        let path = std::env::var_os(INFO_VARIABLE).ok_or(TestbedError::NoTestbed)?;
        Self::read(&PathBuf::from(path))
    }

    /// Reads the file `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).map_err(TestbedError::file("read", path))?;
        serde_json::from_slice(&text)
            .map_err(|error| TestbedError::Info { path: path.to_owned(), reason: error.to_string() })
    }

    /// Writes the file `path`, which holds passwords: for its owner only.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| TestbedError::Info { path: path.to_owned(), reason: error.to_string() })?;
        write_secret(path, text)
    }

    /// Whether it is as this version of the testbed would make it: realms, security configuration, sample data.
    pub fn is_current(&self) -> bool {
        self.recipe == recipe()
    }

    /// Whether both processes still run.
    pub fn is_running(&self) -> bool {
        self.engine.process.is_running() && self.keycloak.process.is_running()
    }

    /// Stops both processes, the second also if the first could not be stopped.
    pub async fn stop(&self) -> Result<()> {
        let engine = self.engine.process.stop().await;
        engine.and(self.keycloak.process.stop().await)
    }
}

/// A fingerprint of what a testbed is made of. Differs at most too often: between versions of the compiler.
pub(crate) fn recipe() -> String {
    let mut hasher = DefaultHasher::new();
    (crate::keycloak::REALM, crate::engine::SECURITY, crate::sample::SAMPLE_INDICES).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_what_is_no_info_is_told() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("testbed.json");
        let info = TestbedInfo {
            engine: EngineInfo::example(),
            keycloak: KeycloakInfo::example(),
            recipe: recipe(),
        };
        info.write(&path).unwrap();
        let read = TestbedInfo::read(&path).unwrap();
        assert_eq!(read.engine.url, info.engine.url);
        assert_eq!(read.keycloak.issuer, info.keycloak.issuer);
        assert!(!read.is_running());
        assert!(read.is_current());
        assert!(!TestbedInfo { recipe: "older".to_owned(), ..read }.is_current());

        fs::write(&path, "{}").unwrap();
        let error = TestbedInfo::read(&path).unwrap_err().to_string();
        assert!(error.contains("cargo xtask testbed up"), "{error}");
    }
}
