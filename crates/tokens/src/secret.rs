use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::base62;

/// What every managed token begins with, so that scanners for leaked secrets find it and so that it is never taken for a token
/// of a provider.
pub const PREFIX: &str = "osat_";

const RANDOM: usize = 43;
const CHECKSUM: usize = 6;
const LENGTH: usize = PREFIX.len() + RANDOM + CHECKSUM;

/// A managed token as its holder has it: [`PREFIX`], 32 random bytes in base 62, and their CRC-32. Never shown; overwritten
/// with zeros when dropped. Nothing stores it.
pub struct Secret(Zeroizing<String>);

/// Why a text is not a managed token. The text is not repeated.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SecretError {
    /// It does not begin with [`PREFIX`].
    #[error("not a managed token: it does not begin with {PREFIX}")]
    Prefix,
    /// Too short, too long, or with characters that no such token has.
    #[error("not a managed token: after {PREFIX} come 49 letters and digits; copy it whole")]
    Form,
    /// The last six characters do not fit the others.
    #[error("not a managed token: its checksum does not fit; copy it whole")]
    Checksum,
}

/// The system gave no randomness.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("no randomness from the operating system: no token can be made")]
pub struct NoRandomness;

impl Secret {
    /// A new one, from the operating system's randomness.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(&mut *bytes).map_err(|_| NoRandomness)?;
        // The whole length at once: growing would leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(PREFIX);
        base62::append(&mut text, &mut *bytes, RANDOM);
        let mut checksum = crc32(text.as_bytes()).to_be_bytes();
        base62::append(&mut text, &mut checksum, CHECKSUM);
        checksum.zeroize();
        Ok(Self(text))
    }

    /// Whether a bearer token is meant to be one of these; then no provider is asked about it.
    pub fn is_meant_by(token: &str) -> bool {
        token.starts_with(PREFIX)
    }

    /// Reads one. The checksum finds slips of copying without a look at the store; it proves nothing.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let rest = text.strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
        if text.len() != LENGTH || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(SecretError::Form);
        }
        let (signed, checksum) = text.split_at(PREFIX.len() + RANDOM);
        let mut expected = String::with_capacity(CHECKSUM);
        base62::append(&mut expected, &mut crc32(signed.as_bytes()).to_be_bytes(), CHECKSUM);
        if checksum != expected {
            return Err(SecretError::Checksum);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The secret itself: only for handing it to whoever it was issued to.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What it is known by. Looking this up instead of the text tells an attacker who measures time nothing about any token.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// SHA-256 of a managed token, or of a code for one: all that is kept of it. Both have 256 random bits, so nothing slower is needed.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(secret: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, secret).as_ref());
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("a digest is 64 hexadecimal digits"))
    }
}

/// CRC-32 as in ISO 3309 and zlib, bit by bit: 48 bytes at a time need no table.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
