//! The server's certificate, replaceable while it serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::{TlsError, pem, tls, validity};

/// A certificate chain with its key, read from PEM files. Handshakes take the current one; [`reload`](Self::reload)
/// replaces it for later handshakes and leaves standing connections alone.
pub struct ServerCertificate {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl ServerCertificate {
    /// Reads both files and checks that they belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let current = ArcSwap::from(read(certificate, key)?);
        Ok(Arc::new(Self { certificate: certificate.to_owned(), key: key.to_owned(), current }))
    }

    /// Reads both files again. On an error the certificate in use stays. Returns whether it changed.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let fresh = read(&self.certificate, &self.key)?;
        let changed = fresh.cert != self.current.load().cert;
        self.current.store(fresh);
        Ok(changed)
    }

    /// When the leaf certificate in use expires (RFC 5280 `notAfter`); `None` if that field cannot be read.
    pub fn not_after(&self) -> Option<SystemTime> {
        validity::not_after(self.current.load().cert.first()?)
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = pem::certificates(certificate)?;
    let key_der = pem::private_key(key)?;
    CertifiedKey::from_der(chain, key_der, &tls::provider()).map(Arc::new).map_err(|source| {
        TlsError::Identity { certificate: certificate.to_owned(), key: key.to_owned(), source }
    })
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerCertificate")
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
