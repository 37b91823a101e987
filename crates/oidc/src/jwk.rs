//! Published keys: JWK Sets (RFC 7517) and signature checks with them.

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RsaParameters,
    RsaPublicKeyComponents,
};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::Value;

use crate::Algorithm;

/// Keys of a set beyond this number are not read.
const MAX_KEYS: usize = 128;
/// A token that names no key is tried with at most so many, and so are keys that share an id.
const MAX_TRIALS: usize = 4;
const MIN_RSA_BITS: usize = 2048;
const MAX_RSA_BITS: usize = 8192;

/// The usable signature keys of one provider.
#[derive(Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
}

/// What a set of keys says about a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Valid,
    /// The key was found and the signature is not its own.
    Invalid,
    /// The key was found and is not for this algorithm.
    Unfit,
    /// There is no such key, or the token names none and there are too many to try.
    Unknown,
}

struct Key {
    id: Option<Box<str>>,
    /// The only algorithm the provider allows this key for (RFC 7517 section 4.4).
    only: Option<Algorithm>,
    public: PublicKey,
    fingerprint: [u8; 32],
}

enum PublicKey {
    Rsa(RsaKey),
    P256(ParsedPublicKey),
    P384(ParsedPublicKey),
    Ed25519(ParsedPublicKey),
}

/// An RSA key, ready for each algorithm: what a check needs beyond the signature is worked out once.
struct RsaKey {
    components: RsaPublicKeyComponents<Vec<u8>>,
    ready: Vec<(Algorithm, ParsedPublicKey)>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a JWK Set. Keys that are for another use, too weak, of an unknown kind or broken are left out, as
    /// RFC 7517 section 5 asks for. `None` if the document is no JWK Set.
    pub(crate) fn parse(document: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(document).ok()?;
        let keys = document.keys.into_iter().take(MAX_KEYS).filter_map(Key::read).collect();
        Some(Self { keys })
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether a key of this set is missing from `newer`, or has another value there.
    pub(crate) fn lost_in(&self, newer: &Self) -> bool {
        self.keys.iter().any(|old| newer.keys.iter().all(|new| new.fingerprint != old.fingerprint))
    }

    /// Checks a signature with the key named `id`, or, without a name, with the few keys that fit.
    pub(crate) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Verdict {
        let named = || self.keys.iter().filter(|key| id.is_none() || key.id.as_deref() == id);
        let fitting = || named().filter(|key| key.fits(algorithm));
        match fitting().count() {
            0 if id.is_some() && named().next().is_some() => Verdict::Unfit,
            1..=MAX_TRIALS if fitting().any(|key| key.public.verify(algorithm, message, signature)) => {
                Verdict::Valid
            }
            1..=MAX_TRIALS => Verdict::Invalid,
            _ => Verdict::Unknown,
        }
    }
}

impl Key {
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        if !for_signatures {
            return None;
        }
        let only = match jwk.alg.as_deref() {
            None => None,
            Some(name) => Some(name.parse().ok()?),
        };
        let public = PublicKey::read(&jwk)?;
        let mut key = Self { id: jwk.kid.map(Into::into), only, public, fingerprint: [0; 32] };
        key.fingerprint = key.digest();
        Some(key)
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        self.only.is_none_or(|only| only == algorithm) && self.public.fits(algorithm)
    }

    fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        let mut field = |bytes: &[u8]| {
            context.update(&bytes.len().to_be_bytes());
            context.update(bytes);
        };
        field(self.id.as_deref().unwrap_or_default().as_bytes());
        field(self.only.map_or("", Algorithm::name).as_bytes());
        match &self.public {
            PublicKey::Rsa(RsaKey { components, .. }) => {
                field(&components.n);
                field(&components.e);
            }
            PublicKey::P256(key) | PublicKey::P384(key) | PublicKey::Ed25519(key) => field(key.as_ref()),
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

impl PublicKey {
    fn read(jwk: &Jwk) -> Option<Self> {
        let coordinate = |text: &Option<String>, length: usize| {
            decode(text.as_deref()?).filter(|bytes| bytes.len() == length)
        };
        let point = |length: usize| {
            let (x, y) = (coordinate(&jwk.x, length)?, coordinate(&jwk.y, length)?);
            Some([&[4], &*x, &*y].concat())
        };
        match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => rsa(decode(jwk.n.as_deref()?)?, decode(jwk.e.as_deref()?)?).map(Self::Rsa),
            ("EC", Some("P-256")) => {
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(32)?).ok().map(Self::P256)
            }
            ("EC", Some("P-384")) => {
                ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point(48)?).ok().map(Self::P384)
            }
            ("OKP", Some("Ed25519")) => {
                ParsedPublicKey::new(&ED25519, coordinate(&jwk.x, 32)?).ok().map(Self::Ed25519)
            }
            _ => None,
        }
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa(_) => rsa_parameters(algorithm).is_some(),
            Self::P256(_) => algorithm == Algorithm::ES256,
            Self::P384(_) => algorithm == Algorithm::ES384,
            Self::Ed25519(_) => algorithm == Algorithm::EdDSA,
        }
    }

    /// False also if the algorithm does not fit the key.
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa(key) => {
                let ready = key.ready.iter().find(|(of, _)| *of == algorithm);
                ready.is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
            }
            Self::P256(key) | Self::P384(key) | Self::Ed25519(key) => {
                self.fits(algorithm) && key.verify_sig(message, signature).is_ok()
            }
        }
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => None,
    }
}

/// An RSA key of an acceptable size. Some providers send a leading zero byte, which the library does not take.
fn rsa(n: Vec<u8>, e: Vec<u8>) -> Option<RsaKey> {
    let strip = |bytes: Vec<u8>| bytes.into_iter().skip_while(|&byte| byte == 0).collect::<Vec<_>>();
    let (n, e) = (strip(n), strip(e));
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|byte| byte & 1 == 1);
    let bits = n.len() * 8 - usize::try_from(n.first()?.leading_zeros()).ok()?;
    let sound =
        (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) && odd(&n) && odd(&e) && e.len() <= 4 && *e != [1];
    if !sound {
        return None;
    }
    let components = RsaPublicKeyComponents { n, e };
    let der: PublicKeyX509Der<'_> = components.as_der().ok()?;
    let parse = |algorithm| ParsedPublicKey::new(rsa_parameters(algorithm)?, der.as_ref()).ok();
    let ready = Algorithm::ALL.into_iter().filter_map(|algorithm| Some((algorithm, parse(algorithm)?)));
    let ready = ready.collect();
    Some(RsaKey { components, ready })
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The public keys of RFC 7517 appendix A.1 and RFC 8037 appendix A.2.
    const SET: &str = r#"{"keys":[
        {"kty":"EC","crv":"P-256","kid":"1","use":"sig","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
         "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
        {"kty":"RSA","e":"AQAB","alg":"RS256","kid":"2011-04-29","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"},
        {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    #[test]
    fn keys_of_every_kind_are_read() {
        assert_eq!(KeySet::parse(SET.as_bytes()).map(|keys| keys.len()), Some(3));
    }

    proptest! {
        #[test]
        fn no_published_document_makes_a_signature_of_nobody_valid(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            length in 1..256_usize,
        ) {
            let mut document = SET.as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(document.len());
                document[at] = byte;
            }
            if let Some(keys) = KeySet::parse(&document) {
                for algorithm in Algorithm::ALL {
                    let verdict = keys.verify(algorithm, None, b"message", &vec![1; length]);
                    prop_assert_ne!(verdict, Verdict::Valid);
                }
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = KeySet::parse(&bytes);
        }
    }
}
