use std::fmt;

use aws_lc_rs::{
    hkdf::{HKDF_SHA256, Salt},
    hmac::{self, HMAC_SHA256},
};
use thiserror::Error;
use zeroize::Zeroizing;

/// What the derived key is for, so that the same master secret gives other keys for other uses (RFC 5869, section 3.2).
const PURPOSE: &[u8] = b"opensearch-oauth-proxy handle binding v1";
/// The shortest master secret, in bytes: as many as the hash puts out (RFC 2104, section 3).
const SHORTEST: usize = 32;

/// A key that binds handles. It is not printed, cannot be read back, and is wiped when dropped.
pub struct Key(hmac::Key);

/// Why no key can be made.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum KeyError {
    /// The master secret is short.
    #[error(
        "the secret for handles has {0} bytes, fewer than {SHORTEST}: make one with `openssl rand -base64 48`"
    )]
    Short(usize),
    /// The crypto library failed.
    #[error("the crypto library could not derive the key for handles")]
    Crypto,
}

impl Key {
    /// Derives a key from a master secret of at least 32 bytes (HKDF with SHA-256, RFC 5869). Every replica that is
    /// given the same secret has the same key.
    pub fn derive(master: &[u8]) -> Result<Self, KeyError> {
        if master.len() < SHORTEST {
            return Err(KeyError::Short(master.len()));
        }
        let extracted = Salt::none(HKDF_SHA256).extract(master);
        let mut derived = Zeroizing::new([0; 32]);
        let expanded = extracted.expand(&[PURPOSE], HMAC_SHA256).map_err(|_| KeyError::Crypto)?;
        expanded.fill(derived.as_mut_slice()).map_err(|_| KeyError::Crypto)?;
        Ok(Self(hmac::Key::new(HMAC_SHA256, derived.as_slice())))
    }

    pub(crate) fn begin(&self) -> hmac::Context {
        hmac::Context::with_key(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The keys in force: the first signs, all verify.
///
/// To change the secret without losing handles: add the new one last on every replica, then move it to the front, and
/// remove the old one when no handle made under it lives any more.
#[derive(Debug)]
pub struct Keys {
    first: Key,
    others: Vec<Key>,
}

impl Keys {
    /// `first` signs; `others` only verify.
    pub fn new(first: Key, others: Vec<Key>) -> Self {
        Self { first, others }
    }

    pub(crate) fn signing(&self) -> &Key {
        &self.first
    }

    pub(crate) fn verifying(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl AsRef<Self> for Keys {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl From<Key> for Keys {
    fn from(key: Key) -> Self {
        Self::new(key, Vec::new())
    }
}
