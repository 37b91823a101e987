//! The proxy's configuration inside of manifests, held against the program itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use testbed::{Certificates, Progress};

use crate::cargo::{program, workspace};
use crate::{Result, XtaskError, demo};

/// Where configurations expect files of theirs.
const PLACES: [&str; 2] = ["/etc/opensearch-oauth-proxy/", "/var/lib/opensearch-oauth-proxy/"];

/// Runs `check-config`, with certificates and keys in the places where the configuration expects some.
#[derive(Debug)]
pub(super) struct Checker {
    proxy: PathBuf,
    scratch: PathBuf,
    certificates: Certificates,
}

impl Checker {
    pub(super) async fn new() -> Result<Self> {
        let scratch = workspace().join("target/check-deploy");
        std::fs::create_dir_all(&scratch).map_err(written(&scratch))?;
        let certificates = Certificates::generate(&scratch)?;
        let proxy = demo::build::proxy(true, &Progress::plain()).await?;
        Ok(Self { proxy, scratch, certificates })
    }

    /// A folder for files that nobody needs afterwards.
    pub(super) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Checks the `config.yml` in the Secret of some manifests, if one is there.
    pub(super) async fn check(&self, from: &Path, manifests: &str) -> Result<()> {
        match embedded(manifests) {
            Some(configuration) => self.check_file(from, &configuration).await,
            None => Ok(()),
        }
    }

    /// Checks a configuration that came from the file `from`.
    pub(super) async fn check_file(&self, from: &Path, configuration: &str) -> Result<()> {
        let name = from.file_stem().unwrap_or_default();
        let folder = self.scratch.join("configurations").join(name);
        let mut text = configuration.to_owned();
        for place in PLACES {
            for path in paths_below(place, configuration) {
                self.provide(&folder.join(path))?;
            }
            text = text.replace(place, &format!("{}/", folder.display()));
        }
        let file = folder.join("config.yml");
        std::fs::create_dir_all(&folder).map_err(written(&folder))?;
        std::fs::write(&file, text).map_err(written(&file))?;
        let (proxy, file) = (self.proxy.display().to_string(), file.display().to_string());
        let secret = "made up for the check, and long enough for any use";
        program(&proxy, &["check-config", "--config", &file]).env("HANDLES", secret).run().await
    }

    /// A key where the name says so, otherwise a certificate.
    fn provide(&self, path: &Path) -> Result<()> {
        let key = path.extension().is_some_and(|extension| extension == "key");
        let ca = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("ca"));
        let from = match (key, ca) {
            (true, _) => &self.certificates.node_key,
            (false, true) => &self.certificates.ca,
            (false, false) => &self.certificates.node,
        };
        let folder = path.parent().unwrap_or(path);
        std::fs::create_dir_all(folder).map_err(written(folder))?;
        std::fs::copy(from, path).map_err(written(path))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(written(path))
    }
}

fn written(path: &Path) -> impl FnOnce(std::io::Error) -> XtaskError {
    |source| XtaskError::Write { path: path.display().to_string(), source }
}

/// The block behind `config.yml: |`, without its indentation.
fn embedded(manifests: &str) -> Option<String> {
    let (_, block) = manifests.split_once("  config.yml: |\n")?;
    let lines = block.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let lines: Vec<&str> = lines.map(|line| line.get(4..).unwrap_or_default()).collect();
    Some(lines.join("\n") + "\n")
}

/// The files that a configuration names below a folder.
fn paths_below<'c>(place: &'c str, configuration: &'c str) -> impl Iterator<Item = &'c str> {
    let parts = configuration.split(place).skip(1);
    let paths = parts.map(|part| part.split([' ', '\n', '}', ',', '"']).next().unwrap_or_default());
    paths.filter(|path| [".crt", ".key", ".pem"].iter().any(|end| path.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_found_in_its_secret() {
        let manifests = "kind: Secret\nstringData:\n  config.yml: |\n    listen:\n      address: a\n\n    admin: {}\n\
            ---\nkind: Service\n";
        assert_eq!(embedded(manifests).unwrap(), "listen:\n  address: a\n\nadmin: {}\n");
        assert_eq!(embedded("kind: Service\n"), None);
    }

    #[test]
    fn the_files_that_it_names_are_found() {
        let text = "a: /etc/x/tls/tls.crt\nb: {key: /etc/x/k.key, c: \"/etc/x/ca.pem\"}\nd: /etc/x/other";
        assert_eq!(paths_below("/etc/x/", text).collect::<Vec<_>>(), ["tls/tls.crt", "k.key", "ca.pem"]);
    }
}
