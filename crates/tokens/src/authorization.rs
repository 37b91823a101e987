//! What a person was asked to allow, or has allowed, until the client fetches its token: behind an authorization code
//! (RFC 6749 section 4.1) or a device code (RFC 8628).

use std::fmt;
use std::str::FromStr;

use access::Scope;
use aws_lc_rs::rand;
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{AuthorizationId, Claims, ConsentId, Digest, NoRandomness, Party, Permission, TokenId};

/// An authorization code or a device code: 32 random bytes in base 64. Never shown; nothing stores it.
pub struct GrantCode(Zeroizing<String>);

impl GrantCode {
    /// A new one.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(&mut *bytes).map_err(|_| NoRandomness)?;
        Ok(Self(Zeroizing::new(BASE64URL_NOPAD.encode(&*bytes))))
    }

    /// One that a client presents, whatever it is.
    pub fn presented(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The code itself: only for handing it to whom it is for.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What it is known by.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for GrantCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GrantCode(…)")
    }
}

/// What a person copies from one device to another: eight consonants, so that no word comes about and none looks like a digit
/// (RFC 8628 section 6.1). 34 random bits: guessing must be slowed down by whoever asks for it.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserCode(Box<str>);

const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// The text cannot be such a code.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a code has {LENGTH} letters, as in BCDF-GHJK: copy it as the device shows it")]
pub struct UserCodeError;

impl UserCode {
    /// A new one.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut text = String::with_capacity(LENGTH);
        while text.len() < LENGTH {
            let mut bytes = [0; LENGTH];
            rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
            // 240 is the greatest multiple of 20 in a byte: beyond it some letters would come up more often.
            let even = bytes.into_iter().filter(|byte| *byte < 240).map(usize::from);
            text.extend(even.map(|byte| char::from(LETTERS[byte % LETTERS.len()])).take(LENGTH - text.len()));
        }
        Ok(Self(text.into()))
    }
}

impl FromStr for UserCode {
    type Err = UserCodeError;

    /// As people type it: case, spaces and hyphens do not matter.
    fn from_str(text: &str) -> Result<Self, UserCodeError> {
        let letters: String =
            text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase()).collect();
        if letters.len() == LENGTH && letters.bytes().all(|letter| LETTERS.contains(&letter)) {
            Ok(Self(letters.into()))
        } else {
            Err(UserCodeError)
        }
    }
}

impl TryFrom<String> for UserCode {
    type Error = UserCodeError;

    fn try_from(text: String) -> Result<Self, UserCodeError> {
        text.parse()
    }
}

impl From<UserCode> for String {
    fn from(code: UserCode) -> Self {
        code.0.into()
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, two) = self.0.split_at(LENGTH / 2);
        write!(f, "{one}-{two}")
    }
}

/// An authorization under way.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Authorization {
    /// Its name, which follows from the code.
    pub id: AuthorizationId,
    /// What the code is known by.
    pub digest: Digest,
    /// The client that may fetch the token.
    pub client_id: Box<str>,
    /// How it got here.
    pub way: Way,
    /// After that it is too late.
    pub expires_at: Timestamp,
    /// How far it has come.
    pub state: AuthorizationState,
}

/// How a client asks a person.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Way {
    /// By the person's browser.
    Code {
        /// Where the code was sent: must be repeated.
        redirect_uri: Box<str>,
        /// The SHA-256 of what the client must show with the code (RFC 7636).
        challenge: Box<str>,
    },
    /// By a code that the person enters elsewhere.
    Device {
        /// That code.
        user_code: UserCode,
        /// The scopes; `None`: all that the client can have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scopes: Option<Vec<Scope>>,
        /// The clusters; empty: all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        clusters: Vec<Box<str>>,
        /// For so many seconds; `None`: as is usual.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lifetime: Option<u64>,
    },
}

/// How far an authorization has come.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum AuthorizationState {
    /// Nobody has decided.
    Waiting,
    /// A person has agreed.
    Allowed(Box<Allowed>),
    /// A person has not.
    Denied {
        /// Who.
        by: Party,
    },
    /// The token was fetched.
    Redeemed {
        /// Which.
        token: TokenId,
    },
}

/// What a person agreed to, and who that is.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Allowed {
    /// The issuer of the claims.
    pub issuer: Box<str>,
    /// What the provider said of the person.
    pub claims: Claims,
    /// What the client may have.
    pub permission: Permission,
    /// The consent that says so.
    pub consent: ConsentId,
}
