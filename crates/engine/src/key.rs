//! The proxy's own signing key.

use std::fmt;

use aws_lc_rs::{
    digest,
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    error::KeyRejected,
    rand::SystemRandom,
    rsa::{self, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The smallest RSA modulus that is accepted, in bits (RFC 7518 section 3.3).
const RSA_MIN_BITS: usize = 2048;

/// A private key that signs tokens for the engine: RS256 with RSA, ES256 with EC P-256, by the kind of the key.
///
/// Other kinds are refused on purpose, Ed25519 among them: the engine's `jwt` domain takes a public key that it does not
/// understand for a shared HMAC secret, so that whoever knows the *public* key could sign.
pub struct SigningKey {
    pair: Pair,
    key_id: String,
    public_der: Vec<u8>,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
}

/// Kinds of keys that can be generated.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeyKind {
    /// RSA, 2048 bits.
    #[default]
    Rsa2048,
    /// RSA, 3072 bits.
    Rsa3072,
    /// RSA, 4096 bits.
    Rsa4096,
    /// Elliptic curve P-256: signs faster, and the engine verifies slower.
    P256,
}

/// Why a key cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// No PEM section holds a private key.
    #[error(
        "no PEM section with a private key: expected `-----BEGIN PRIVATE KEY-----`; `keygen` makes such a file"
    )]
    NoPrivateKey,
    /// A PEM section of another kind.
    #[error("it holds a PEM section `{0}`, not a private key: name the file that `keygen` made")]
    OtherSection(String),
    /// The key is encrypted.
    #[error(
        "it is encrypted with a passphrase: decrypt it with `openssl pkey -in KEY -out KEY.plain` and protect the file by its mode"
    )]
    Encrypted,
    /// The PEM section is broken.
    #[error("its PEM section is broken: no end line, or not base64")]
    Broken,
    /// An RSA key that is too short.
    #[error(
        "it is an RSA key of fewer than {RSA_MIN_BITS} bits, which is too weak: make a new one with `keygen`"
    )]
    WeakRsa,
    /// A key of another kind.
    #[error("it is neither an RSA key (2048 bits or more) nor an EC P-256 key: make one with `keygen`")]
    Unsupported,
    /// The crypto library failed.
    #[error("the crypto library could not make or write the key")]
    Crypto,
}

impl SigningKey {
    /// Reads the first private key of a PEM file: PKCS#8, PKCS#1 (`RSA PRIVATE KEY`) or SEC1 (`EC PRIVATE KEY`).
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let (label, der) = private_key_section(pem)?;
        let pair = match label {
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).map_err(rsa_error).map(Pair::rsa)?,
            "EC PRIVATE KEY" => p256(&der)?,
            _ => match RsaKeyPair::from_pkcs8(&der) {
                Ok(pair) => Pair::rsa(pair),
                Err(error) if rsa_error(error) == KeyError::WeakRsa => return Err(KeyError::WeakRsa),
                Err(_) => p256(&der)?,
            },
        };
        if let Pair::Rsa(pair) = &pair
            && pair.public_modulus_len() * 8 < RSA_MIN_BITS
        {
            return Err(KeyError::WeakRsa);
        }
        let public_der = pair.public_der()?;
        let mut key = Self { pair, key_id: String::new(), public_der };
        key.key_id = key.thumbprint();
        Ok(key)
    }

    /// The JWS algorithm: `RS256` or `ES256`.
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
        }
    }

    /// The key id: the JWK thumbprint (RFC 7638), so that it changes with the key and only then.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public key as PEM (`PUBLIC KEY`, RFC 7468), as the engine's `signing_key` wants it.
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.public_der)
    }

    /// The public key as a JWK set (RFC 7517).
    pub fn jwks(&self) -> Value {
        let mut key = self.required_members();
        if let Some(members) = key.as_object_mut() {
            members.insert("kid".to_owned(), json!(self.key_id));
            members.insert("use".to_owned(), json!("sig"));
            members.insert("alg".to_owned(), json!(self.algorithm()));
        }
        json!({ "keys": [key] })
    }

    /// The JWS signature of `message` (RFC 7518 sections 3.3 and 3.4).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| KeyError::Crypto)?;
                Ok(signature)
            }
            Pair::P256(pair) => {
                pair.sign(&random, message).map(|s| s.as_ref().to_vec()).map_err(|_| KeyError::Crypto)
            }
        }
    }

    /// The members that the thumbprint covers, in the order that it needs.
    fn required_members(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "e": BASE64URL_NOPAD.encode(public.exponent().big_endian_without_leading_zero()),
                    "kty": "RSA",
                    "n": BASE64URL_NOPAD.encode(public.modulus().big_endian_without_leading_zero()),
                })
            }
            Pair::P256(pair) => {
                // Uncompressed point (SEC 1 section 2.3.3): 0x04, then both coordinates of 32 bytes.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({
                    "crv": "P-256",
                    "kty": "EC",
                    "x": BASE64URL_NOPAD.encode(x),
                    "y": BASE64URL_NOPAD.encode(y),
                })
            }
        }
    }

    fn thumbprint(&self) -> String {
        let members = self.required_members().to_string();
        BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, members.as_bytes()).as_ref())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm())
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl Pair {
    fn rsa(pair: RsaKeyPair) -> Self {
        Self::Rsa(Box::new(pair))
    }

    fn public_der(&self) -> Result<Vec<u8>, KeyError> {
        let der: Result<PublicKeyX509Der<'_>, _> = match self {
            Self::Rsa(pair) => pair.public_key().as_der(),
            Self::P256(pair) => pair.public_key().as_der(),
        };
        der.map(|der| der.as_ref().to_vec()).map_err(|_| KeyError::Crypto)
    }
}

/// A new private key as PEM (PKCS#8). Write it to a file that only the proxy can read.
pub fn generate_key(kind: KeyKind) -> Result<Zeroizing<String>, KeyError> {
    let crypto = |_| KeyError::Crypto;
    let size = match kind {
        KeyKind::Rsa2048 => KeySize::Rsa2048,
        KeyKind::Rsa3072 => KeySize::Rsa3072,
        KeyKind::Rsa4096 => KeySize::Rsa4096,
        KeyKind::P256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(crypto)?;
            let der = pair.to_pkcs8v1().map_err(crypto)?;
            return Ok(Zeroizing::new(pem("PRIVATE KEY", der.as_ref())));
        }
    };
    let der: Pkcs8V1Der<'_> = rsa::KeyPair::generate(size).and_then(|pair| pair.as_der()).map_err(crypto)?;
    Ok(Zeroizing::new(pem("PRIVATE KEY", der.as_ref())))
}

fn p256(der: &[u8]) -> Result<Pair, KeyError> {
    EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
        .map(|pair| Pair::P256(Box::new(pair)))
        .map_err(|_| KeyError::Unsupported)
}

fn rsa_error(error: KeyRejected) -> KeyError {
    // The library tells its reasons apart by this text only.
    if error.to_string() == "TooSmall" { KeyError::WeakRsa } else { KeyError::Unsupported }
}

/// The label and the content of the first private key section.
fn private_key_section(pem: &str) -> Result<(&str, Zeroizing<Vec<u8>>), KeyError> {
    let mut other = None;
    let mut rest = pem;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, body) = after.split_once("-----").ok_or(KeyError::Broken)?;
        let (body, after) = body.split_once(&format!("-----END {label}-----")).ok_or(KeyError::Broken)?;
        if label == "ENCRYPTED PRIVATE KEY" || body.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        if label.ends_with("PRIVATE KEY") {
            let base64: Zeroizing<String> =
                Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
            let der = BASE64.decode(base64.as_bytes()).map_err(|_| KeyError::Broken)?;
            return Ok((label, Zeroizing::new(der)));
        }
        other.get_or_insert_with(|| label.to_owned());
        rest = after;
    }
    Err(other.map_or(KeyError::NoPrivateKey, KeyError::OtherSection))
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = Zeroizing::new(BASE64.encode(der));
    // Room for everything: a growing string would leave copies of a private key behind.
    let mut text = String::with_capacity(base64.len() + base64.len() / 64 + 2 * label.len() + 64);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEAK_RSA: &str = include_str!("../tests/keys/rsa-1024.pem");

    #[test]
    fn generated_keys_round_trip() {
        for (kind, algorithm) in [(KeyKind::Rsa2048, "RS256"), (KeyKind::P256, "ES256")] {
            let pem = generate_key(kind).unwrap();
            assert!(
                pem.starts_with("-----BEGIN PRIVATE KEY-----\n")
                    && pem.ends_with("-----END PRIVATE KEY-----\n")
            );
            let (a, b) = (SigningKey::from_pem(&pem).unwrap(), SigningKey::from_pem(&pem).unwrap());
            assert_eq!(a.algorithm(), algorithm);
            assert_eq!((a.key_id(), a.public_pem()), (b.key_id(), b.public_pem()));
            let other = SigningKey::from_pem(&generate_key(kind).unwrap()).unwrap();
            assert_ne!(a.key_id(), other.key_id());
            assert!(!format!("{a:?}").contains(pem.lines().nth(1).unwrap()));
        }
    }

    #[test]
    fn other_forms_of_pem() {
        for pem in [
            include_str!("../tests/keys/rsa-2048-pkcs1.pem"),
            include_str!("../tests/keys/p256-sec1-with-parameters.pem"),
            &include_str!("../tests/keys/rsa-2048-pkcs1.pem").replace('\n', "\r\n"),
        ] {
            assert!(SigningKey::from_pem(pem).is_ok());
        }
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let good = generate_key(KeyKind::P256).unwrap();
        let public = SigningKey::from_pem(&good).unwrap().public_pem();
        let cut = &good[..good.len() - 30];
        for (pem, expected) in [
            ("", KeyError::NoPrivateKey),
            ("hello", KeyError::NoPrivateKey),
            (public.as_str(), KeyError::OtherSection("PUBLIC KEY".to_owned())),
            (cut, KeyError::Broken),
            ("-----BEGIN PRIVATE KEY-----\n%%%\n-----END PRIVATE KEY-----", KeyError::Broken),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", KeyError::Unsupported),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
                KeyError::Encrypted,
            ),
            (WEAK_RSA, KeyError::WeakRsa),
            (include_str!("../tests/keys/p384.pem"), KeyError::Unsupported),
            (include_str!("../tests/keys/ed25519.pem"), KeyError::Unsupported),
        ] {
            assert_eq!(SigningKey::from_pem(pem).unwrap_err(), expected, "{pem}");
        }
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        // The key of RFC 7638 section 3.1 is public only; the same text is hashed here over a known private key.
        let key = SigningKey::from_pem(include_str!("../tests/keys/rsa-2048-pkcs1.pem")).unwrap();
        let members = key.required_members();
        let text = format!(r#"{{"e":"AQAB","kty":"RSA","n":{}}}"#, members["n"]);
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        assert_eq!(key.key_id(), BASE64URL_NOPAD.encode(digest.as_ref()));
    }
}
