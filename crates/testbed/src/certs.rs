//! The certificates of one testbed.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

use crate::Result;
use crate::cache::{create_dir, write, write_secret};

const ORGANIZATION: &str = "testbed";

/// The subjects as the engine writes them: it compares them as text, most specific part first.
pub(crate) const NODE_DN: &str = "CN=node,O=testbed";
pub(crate) const ADMIN_DN: &str = "CN=admin,O=testbed";

/// Where the files are. Keys are PKCS#8, as the security plugin wants them.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority. Its key is kept nowhere.
    pub ca: PathBuf,
    /// A server on 127.0.0.1 and localhost; the nodes also show it to each other.
    pub node: PathBuf,
    /// Its key.
    pub node_key: PathBuf,
    /// The administrator of the security plugin.
    pub admin: PathBuf,
    /// Its key.
    pub admin_key: PathBuf,
}

impl Certificates {
    /// The files in `folder`, which exist if [`generate`](Self::generate) was called for it.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            ca: folder.join("ca.pem"),
            node: folder.join("node.pem"),
            node_key: folder.join("node-key.pem"),
            admin: folder.join("admin.pem"),
            admin_key: folder.join("admin-key.pem"),
        }
    }

    /// Makes an authority, a certificate for the nodes (server and client, for 127.0.0.1 and localhost), and one for
    /// the administrator of the security plugin. The key of the authority is kept nowhere.
    pub fn generate(folder: &Path) -> Result<Self> {
        create_dir(folder)?;
        let files = Self::in_folder(folder);

        let mut params = CertificateParams::default();
        params.distinguished_name = name("testbed CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        write(&files.ca, params.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(params, key);

        let mut node = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        node.distinguished_name = name("node");
        node.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        node.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        issue(&node, &issuer, &files.node, &files.node_key)?;

        let mut admin = CertificateParams::default();
        admin.distinguished_name = name("admin");
        admin.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        admin.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        issue(&admin, &issuer, &files.admin, &files.admin_key)?;
        Ok(files)
    }
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, ORGANIZATION);
    name.push(DnType::CommonName, common_name);
    name
}

fn issue(
    params: &CertificateParams,
    issuer: &Issuer<'_, KeyPair>,
    certificate: &Path,
    key: &Path,
) -> Result<()> {
    let pair = KeyPair::generate()?;
    write(certificate, params.signed_by(&pair, issuer)?.pem())?;
    write_secret(key, pair.serialize_pem())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_can_be_used_for_tls() {
        let temp = tempfile::tempdir().unwrap();
        let files = Certificates::generate(temp.path()).unwrap();
        let options =
            transport::TlsOptions { ca: Some(files.ca), identity: Some((files.admin, files.admin_key)) };
        transport::client_config(&options, &[]).unwrap();
        let key = std::fs::read_to_string(files.node_key).unwrap();
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"), "PKCS#8 is what the plugin reads");
    }
}
