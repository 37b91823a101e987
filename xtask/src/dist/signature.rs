//! The signature of a release: of its checksums, by an SSH key of whoever releases.
//!
//! `ssh-keygen` is on every machine that has SSH, and a key of its agent or on a token of hardware never leaves its place.

use std::path::Path;

use crate::Result;
use crate::cargo::program;

/// What the signature is for, so that one made for something else does not fit. Stands in `docs/releases.md`.
const NAMESPACE: &str = "opensearch-oauth-proxy-release";

/// Writes the signature of a file beside it, with `.sig` behind its name.
pub(super) async fn sign(key: &Path, file: &Path) -> Result<()> {
    let (key, file) = (key.display().to_string(), file.display().to_string());
    program("ssh-keygen", &["-q", "-Y", "sign", "-f", &key, "-n", NAMESPACE, &file]).run().await
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::super::files;
    use super::*;
    use crate::cargo::workspace;

    /// The command that the documentation gives to whoever verifies a release.
    async fn verified(folder: &Path) -> Result<()> {
        let text = files::read(&workspace().join("docs/releases.md")).unwrap();
        let text = String::from_utf8(text).unwrap();
        let command =
            text.lines().map(str::trim).find(|line| line.starts_with("ssh-keygen -Y verify")).unwrap();
        let mut call = program("sh", &["-c", command]).within(folder);
        call.command.stdout(Stdio::null()).stderr(Stdio::null());
        call.run().await
    }

    #[tokio::test]
    async fn the_signature_fits_these_checksums_and_this_key_alone() {
        let folder = std::env::temp_dir().join(format!("signature-{}", std::process::id()));
        files::empty(&folder).unwrap();
        for key in ["own", "other"] {
            let make = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key];
            program("ssh-keygen", &make).within(&folder).run().await.unwrap();
        }
        let allow = |key: &str| {
            let public = String::from_utf8(files::read(&folder.join(format!("{key}.pub"))).unwrap()).unwrap();
            files::write(&folder.join("allowed_signers"), format!("opensearch-oauth-proxy {public}"))
                .unwrap();
        };
        let sums = folder.join(files::SUMS);
        files::write(&sums, "ab12  opensearch-oauth-proxy.tar.gz\n").unwrap();
        sign(&folder.join("own"), &sums).await.unwrap();
        allow("own");
        assert!(verified(&folder).await.is_ok());
        allow("other");
        assert!(verified(&folder).await.is_err());
        allow("own");
        files::write(&sums, "cd34  opensearch-oauth-proxy.tar.gz\n").unwrap();
        assert!(verified(&folder).await.is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
