//! Bearer tokens as they arrive.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::TokenError;

/// The default limit of a token's length, in bytes.
pub const DEFAULT_MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// A bearer token: well-formed by the grammar of RFC 6750 section 2.1, nothing else known. Never shown; overwritten
/// with zeros when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(Zeroizing<String>);

impl BearerToken {
    /// Takes the token out of the value of an `Authorization` header: `Bearer`, in any case, one space, the token.
    ///
    /// # Errors
    /// [`TokenError::OtherScheme`] for another scheme, [`TokenError::Malformed`] for a broken token,
    /// [`TokenError::TooLong`] beyond `max_length` bytes.
    pub fn from_authorization(value: &[u8], max_length: usize) -> Result<Self, TokenError> {
        const SCHEME: &[u8] = b"bearer";
        match value.split_at_checked(SCHEME.len()) {
            Some((scheme, [b' ', token @ ..])) if scheme.eq_ignore_ascii_case(SCHEME) => {
                Self::new(token, max_length)
            }
            Some((scheme, [])) if scheme.eq_ignore_ascii_case(SCHEME) => Err(TokenError::Malformed),
            _ => Err(TokenError::OtherScheme),
        }
    }

    /// Takes a token that arrived without a scheme, such as in a WebSocket subprotocol.
    pub fn new(token: &[u8], max_length: usize) -> Result<Self, TokenError> {
        if token.len() > max_length {
            return Err(TokenError::TooLong);
        }
        let padding = token.iter().rev().take_while(|&&byte| byte == b'=').count();
        let body = &token[..token.len() - padding];
        // Without an early end, which lets the compiler look at many bytes at once.
        if body.is_empty() || !body.iter().fold(true, |all, &byte| all & is_token_byte(byte)) {
            return Err(TokenError::Malformed);
        }
        match std::str::from_utf8(token) {
            Ok(text) => Ok(Self(Zeroizing::new(text.to_owned()))),
            Err(_) => Err(TokenError::Malformed),
        }
    }

    /// The secret itself: only for checking it or for sending it where configuration says so.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the whole token, signature included: two tokens with the same claims never share a hash.
    pub fn hash(&self) -> TokenHash {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, self.0.as_bytes()).as_ref());
        TokenHash(bytes)
    }
}

/// A byte of `b64token` but `=` (RFC 6750 section 2.1).
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'.' | b'/' | b'_' | b'~' | b'+')
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(…)")
    }
}

/// SHA-256 of a token: what caches and records keep instead of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Lower-case hexadecimal.
    pub fn to_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_by_the_grammar() {
        let parse = |value: &str| BearerToken::from_authorization(value.as_bytes(), 20);
        for (value, token) in [
            ("Bearer abc", "abc"),
            ("bearer abc", "abc"),
            ("BEARER a.b-c_d~e+f/g==", "a.b-c_d~e+f/g=="),
            ("Bearer 12345678901234567890", "12345678901234567890"),
        ] {
            assert_eq!(parse(value).unwrap().expose(), token, "{value}");
        }
        for (value, error) in [
            ("", TokenError::OtherScheme),
            ("Basic YTpi", TokenError::OtherScheme),
            ("Bearerabc", TokenError::OtherScheme),
            ("Bearer\tabc", TokenError::OtherScheme),
            ("Bearer", TokenError::Malformed),
            ("Bearer ", TokenError::Malformed),
            ("Bearer  abc", TokenError::Malformed),
            ("Bearer abc ", TokenError::Malformed),
            ("Bearer a b", TokenError::Malformed),
            ("Bearer abc,Bearer def", TokenError::Malformed),
            ("Bearer ===", TokenError::Malformed),
            ("Bearer a=b", TokenError::Malformed),
            ("Bearer a\u{e9}", TokenError::Malformed),
            ("Bearer 123456789012345678901", TokenError::TooLong),
        ] {
            assert_eq!(parse(value).unwrap_err(), error, "{value}");
        }
    }

    #[test]
    fn debug_shows_nothing_and_the_hash_covers_every_byte() {
        let token = BearerToken::new(b"secret", 10).unwrap();
        assert!(!format!("{token:?}").contains("secret"));
        assert_eq!(token.hash().to_hex(), "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b");
        assert_ne!(token.hash(), BearerToken::new(b"secreT", 10).unwrap().hash());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = BearerToken::from_authorization(&bytes, 32);
            if let Ok(token) = BearerToken::new(&bytes, 32) {
                prop_assert_eq!(token.expose().as_bytes(), &bytes[..]);
            }
        }
    }
}
