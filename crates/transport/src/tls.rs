//! The rustls configurations of clients and servers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::{ServerCertificate, TlsError, pem};

/// Makes aws-lc-rs the crypto provider of the process, for libraries that ask rustls for its default.
/// May be called any number of times; the first provider stays.
pub fn install_crypto_provider() {
    // An error means that a provider is installed already, which is all that is asked for.
    let _ = aws_lc_rs::default_provider().install_default();
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()))
}

/// Whom to trust and who to be when connecting out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TlsOptions {
    /// PEM file with the only certificate authorities to trust; without it, those of the operating system.
    pub ca: Option<PathBuf>,
    /// PEM files of the certificate chain and of its private key, shown to peers that ask for a client certificate.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The certificate authorities that a peer's certificate must lead to.
#[derive(Debug, Clone)]
pub enum TrustRoots {
    /// Those of the operating system.
    Platform,
    /// Exactly these.
    Only(Arc<RootCertStore>),
}

impl TrustRoots {
    /// Reads all certificates of a PEM file. One that cannot be used is an error, not skipped.
    pub fn from_file(path: &Path) -> Result<Self, TlsError> {
        Ok(Self::Only(Arc::new(root_store(path)?)))
    }
}

fn root_store(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for (index, certificate) in pem::certificates(path)?.into_iter().enumerate() {
        store.add(certificate).map_err(|source| TlsError::Root {
            path: path.to_owned(),
            position: index + 1,
            source,
        })?;
    }
    Ok(store)
}

/// A certificate chain with its private key, for mutual TLS. The key is never shown.
pub struct ClientIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientIdentity {
    /// Reads both PEM files and checks that they belong together.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = pem::certificates(certificate)?;
        let key_der = pem::private_key(key)?;
        CertifiedKey::from_der(chain.clone(), key_der.clone_key(), &provider()).map_err(|source| {
            TlsError::Identity { certificate: certificate.to_owned(), key: key.to_owned(), source }
        })?;
        Ok(Self { chain, key: key_der })
    }
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientIdentity").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// The configuration of a TLS client: TLS 1.2 and 1.3, offering the protocols of `alpn` in their order
/// (for example `&[b"h2", b"http/1.1"]`; empty: none offered).
pub fn client_config(options: &TlsOptions, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = options.ca.as_deref().map_or(Ok(TrustRoots::Platform), TrustRoots::from_file)?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsError::Protocol { source })?;
    let builder = match roots {
        TrustRoots::Platform => {
            builder.with_platform_verifier().map_err(|source| TlsError::Platform { source })?
        }
        TrustRoots::Only(store) => builder.with_root_certificates(store),
    };
    let mut config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let identity = ClientIdentity::from_files(certificate, key)?;
            builder.with_client_auth_cert(identity.chain, identity.key).map_err(|source| {
                TlsError::Identity { certificate: certificate.clone(), key: key.clone(), source }
            })?
        }
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}

/// How a server asks its clients for certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuthentication {
    /// PEM file with the certificate authorities of the clients.
    pub ca: PathBuf,
    /// Whether a client without certificate is refused. One with a certificate that does not verify always is.
    pub required: bool,
}

/// The configuration of a TLS server: TLS 1.2 and 1.3, HTTP/2 preferred over HTTP/1.1.
pub fn server_config(
    certificate: Arc<ServerCertificate>,
    clients: Option<&ClientAuthentication>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsError::Protocol { source })?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let roots = Arc::new(root_store(&clients.ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            let verifier = if clients.required { verifier } else { verifier.allow_unauthenticated() };
            let verifier = verifier.build().map_err(|error| TlsError::ClientCa {
                path: clients.ca.clone(),
                reason: error.to_string(),
            })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
