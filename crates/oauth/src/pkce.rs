//! Proof key for code exchange (RFC 7636), by SHA-256 only: `plain` protects from nobody who sees the request.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{Form, OAuthError};

/// What whoever asks for a code keeps to itself until it fetches the token (RFC 7636 section 4.1).
#[derive(Clone, Debug)]
pub struct CodeVerifier(SecretString);

impl CodeVerifier {
    /// A new one of 256 random bits; `None` if the system gives no randomness.
    pub fn generate() -> Option<Self> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).ok()?;
        Self::parse(&BASE64URL_NOPAD.encode(&bytes))
    }

    /// Reads one: 43 to 128 unreserved characters.
    pub fn parse(text: &str) -> Option<Self> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let good = (43..=128).contains(&text.len()) && text.bytes().all(unreserved);
        good.then(|| Self(SecretString::from(text)))
    }

    /// The verifier itself: for the token endpoint alone.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is sent with the request for the code.
    pub fn challenge(&self) -> CodeChallenge {
        CodeChallenge(BASE64URL_NOPAD.encode(digest(&SHA256, self.expose().as_bytes()).as_ref()).into())
    }
}

/// The SHA-256 of a [`CodeVerifier`] in base 64 (RFC 7636 section 4.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CodeChallenge(Box<str>);

impl CodeChallenge {
    /// The one that a request for a code brings. Without `code_challenge_method` it would be `plain`, which is refused.
    pub fn read(form: &Form) -> Result<Self, OAuthError> {
        if form.get("code_challenge_method") != Some("S256") {
            return Err(OAuthError::request(
                "code_challenge and code_challenge_method=S256 are needed (PKCE)",
            ));
        }
        Self::parse(form.required("code_challenge")?)
            .ok_or_else(|| OAuthError::request("code_challenge is not the base64url of a SHA-256"))
    }

    /// Reads one: 43 characters of base64url.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        (bytes.len() == 32).then(|| Self(text.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it was made from this verifier.
    pub fn is_met_by(&self, verifier: &CodeVerifier) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), verifier.challenge().0.as_bytes()).is_ok()
    }
}

impl fmt::Display for CodeChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
