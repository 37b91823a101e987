//! Keys made for the tests, and tokens signed with them by a library that the crate under test does not use.

use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _,
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// A private key and its public JWK.
#[derive(Clone)]
pub(crate) struct TestKey {
    encoding: EncodingKey,
    pub(crate) jwk: Value,
}

impl TestKey {
    pub(crate) fn rsa(kid: &str) -> Self {
        static KEY: OnceLock<TestKey> = OnceLock::new();
        KEY.get_or_init(|| Self::new_rsa(KeySize::Rsa2048)).named(kid)
    }

    /// An RSA key that no other call has.
    pub(crate) fn new_rsa(size: KeySize) -> Self {
        let pair = KeyPair::generate(size).unwrap();
        let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            BASE64.encode(der.as_ref())
        );
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        Self {
            encoding: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
            jwk: json!({
                "kty": "RSA",
                "n": encode(pair.public_key().modulus().big_endian_without_leading_zero()),
                "e": encode(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
        }
    }

    pub(crate) fn p256(kid: &str) -> Self {
        Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256").named(kid)
    }

    pub(crate) fn p384(kid: &str) -> Self {
        Self::ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384").named(kid)
    }

    fn ec(algorithm: &'static EcdsaSigningAlgorithm, curve: &str) -> Self {
        let pair = EcdsaKeyPair::generate(algorithm).unwrap();
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        Self {
            encoding: EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref()),
            jwk: json!({
                "kty": "EC", "crv": curve, "x": BASE64URL_NOPAD.encode(x), "y": BASE64URL_NOPAD.encode(y),
            }),
        }
    }

    pub(crate) fn ed25519(kid: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let key = Self {
            encoding: EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref()),
            jwk: json!({
                "kty": "OKP", "crv": "Ed25519", "x": BASE64URL_NOPAD.encode(pair.public_key().as_ref()),
            }),
        };
        key.named(kid)
    }

    pub(crate) fn named(&self, kid: &str) -> Self {
        self.with("kid", json!(kid))
    }

    /// The same key, published with another member.
    pub(crate) fn with(&self, member: &str, value: Value) -> Self {
        let mut key = self.clone();
        key.jwk[member] = value;
        key
    }

    /// A token with exactly these texts as header and claims.
    pub(crate) fn sign_text(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        sign(&self.encoding, algorithm, header, claims)
    }

    /// A token with the usual header: `alg`, `typ: at+jwt` and this key's id.
    pub(crate) fn sign(&self, algorithm: Algorithm, claims: &Value) -> String {
        let header = json!({ "alg": format!("{algorithm:?}"), "typ": "at+jwt", "kid": self.jwk["kid"] });
        self.sign_text(algorithm, &header.to_string(), &claims.to_string())
    }
}

/// A token signed with a symmetric key.
pub(crate) fn sign_hs256(secret: &[u8], header: &str, claims: &str) -> String {
    sign(&EncodingKey::from_secret(secret), Algorithm::HS256, header, claims)
}

fn sign(key: &EncodingKey, algorithm: Algorithm, header: &str, claims: &str) -> String {
    let input = unsigned(header, claims);
    let signature = jsonwebtoken::crypto::sign(input.as_bytes(), key, algorithm).unwrap();
    format!("{input}.{signature}")
}

/// Header and claims without the last dot and signature.
pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    format!("{}.{}", encode(header), encode(claims))
}
