//! A client of the provider that acts for itself, and how it proves that it is that client (RFC 6749 section 2.3,
//! RFC 7523 section 2.2).

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use oauth2::CsrfToken;
use serde_json::json;

use crate::cli::tokens::ClientProof;
use crate::error::{Error, Result};
use crate::secret::Secret;

const SECRET_VARIABLE: &str = "OPENSEARCH_AUTH_CLIENT_SECRET";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion counts, in seconds: it is used at once.
const ASSERTION_LIFE: i64 = 60;
/// Larger than any secret or key.
const LARGEST: u64 = 64 * 1024;

/// A client with what only it has.
#[derive(Debug)]
pub(crate) struct ConfidentialClient {
    pub(crate) id: String,
    pub(crate) proof: Proof,
}

/// What only the client has.
#[derive(Debug)]
pub(crate) enum Proof {
    /// `client_secret_basic`.
    Secret(Secret),
    /// `private_key_jwt`.
    Key(ClientKey),
}

/// A private key that signs assertions.
pub(crate) struct ClientKey {
    key: EncodingKey,
    algorithm: Algorithm,
    /// Which of its keys this is, for a provider that knows several.
    id: Option<String>,
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl ConfidentialClient {
    /// The client `id`, with its key or its secret from where the command line says.
    pub(crate) fn read(id: &str, proof: &ClientProof) -> Result<Self> {
        let proof = match &proof.client_key {
            Some(path) => Proof::Key(ClientKey::read(path, proof.client_key_id.clone())?),
            None => Proof::Secret(secret(proof.client_secret_file.as_deref())?),
        };
        Ok(Self { id: id.to_owned(), proof })
    }
}

impl ClientKey {
    fn read(path: &Path, id: Option<String>) -> Result<Self> {
        let shown = path.display();
        let pem = contents(path).map_err(|error| Error::outside(format!("cannot read {shown}: {error}")))?;
        let key = Self::from_pem(pem.as_bytes()).ok_or_else(|| {
            Error::usage(format!("{shown} holds no private key that can sign here")).cure(
                "it must be PEM (PKCS#8, without a passphrase) with RSA of 2048 bits or more, EC P-256 or P-384, or Ed25519; \
                 `openssl pkcs8 -topk8 -nodes -in KEY` writes any key so",
            )
        })?;
        Ok(Self { id, ..key })
    }

    /// A PEM file's key with the algorithm that goes with its kind (RFC 7518 section 3.1, RFC 8037).
    fn from_pem(pem: &[u8]) -> Option<Self> {
        let kinds = [
            (Algorithm::RS256, EncodingKey::from_rsa_pem(pem)),
            (Algorithm::ES256, EncodingKey::from_ec_pem(pem)),
            (Algorithm::ES384, EncodingKey::from_ec_pem(pem)),
            (Algorithm::EdDSA, EncodingKey::from_ed_pem(pem)),
        ];
        kinds.into_iter().find_map(|(algorithm, key)| {
            let key = Self { key: key.ok()?, algorithm, id: None };
            // Of a curve is known which it is, and of RSA whether it is long enough, by signing.
            key.sign(&json!({})).ok().map(|_| key)
        })
    }

    fn sign(&self, claims: &serde_json::Value) -> Result<String, jsonwebtoken::errors::Error> {
        let header = Header { kid: self.id.clone(), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, claims, &self.key)
    }

    /// The fields of a form by which the client `client_id` proves itself to `issuer`, once.
    pub(crate) fn assert(&self, client_id: &str, issuer: &str) -> Result<[(&'static str, String); 2]> {
        let now = Timestamp::now().as_second();
        let claims = json!({
            "iss": client_id, "sub": client_id, "aud": issuer, "jti": CsrfToken::new_random().into_secret(),
            "iat": now, "exp": now + ASSERTION_LIFE,
        });
        let assertion = self
            .sign(&claims)
            .map_err(|_| Error::outside("the crypto library could not sign with the key"))?;
        Ok([("client_assertion_type", JWT_BEARER.to_owned()), ("client_assertion", assertion)])
    }
}

/// The secret, from a file, standard input or the environment; never from an argument, which everybody could see.
fn secret(file: Option<&Path>) -> Result<Secret> {
    let text = match file {
        Some(path) if path == Path::new("-") => {
            contents(path).map_err(|error| Error::outside(format!("the secret cannot be read: {error}")))?
        }
        Some(path) => contents(path)
            .map_err(|error| Error::outside(format!("cannot read {}: {error}", path.display())))?,
        None => std::env::var(SECRET_VARIABLE).map_err(|_| {
            Error::usage("the client's secret is missing").cure(format!(
                "name a file with --client-secret-file, `-` for standard input, or set {SECRET_VARIABLE}; \
                 a client that signs has --client-key instead"
            ))
        })?,
    };
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Error::usage("the client's secret is empty"));
    }
    Ok(Secret::new(secret))
}

/// What a small file holds; `-` is standard input.
fn contents(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(path)?.take(LARGEST).read_to_string(&mut text)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;

    use super::*;

    fn generated(kind: &'static rcgen::SignatureAlgorithm) -> rcgen::KeyPair {
        rcgen::KeyPair::generate_for(kind).unwrap()
    }

    #[test]
    fn a_key_signs_by_its_kind() {
        type Read = fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>;
        let kinds: [(_, _, Read); 4] = [
            (&rcgen::PKCS_RSA_SHA256, Algorithm::RS256, DecodingKey::from_rsa_pem),
            (&rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::ES256, DecodingKey::from_ec_pem),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Algorithm::ES384, DecodingKey::from_ec_pem),
            (&rcgen::PKCS_ED25519, Algorithm::EdDSA, DecodingKey::from_ed_pem),
        ];
        for (kind, algorithm, public) in kinds {
            let pair = generated(kind);
            let key = ClientKey::from_pem(pair.serialize_pem().as_bytes()).unwrap();
            let key = ClientKey { id: Some("one".to_owned()), ..key };
            let [_, (_, assertion)] = key.assert("nightly", "https://login.example").unwrap();
            let mut rules = Validation::new(algorithm);
            rules.set_audience(&["https://login.example"]);
            let public = public(pair.public_key_pem().as_bytes()).unwrap();
            let read = jsonwebtoken::decode::<Value>(&assertion, &public, &rules).unwrap();
            assert_eq!((read.header.alg, read.header.kid.as_deref()), (algorithm, Some("one")));
            assert_eq!((&read.claims["iss"], &read.claims["sub"]), (&json!("nightly"), &json!("nightly")));
        }
    }

    #[test]
    fn an_assertion_is_made_anew_each_time() {
        let key = ClientKey::from_pem(generated(&rcgen::PKCS_ED25519).serialize_pem().as_bytes()).unwrap();
        let made = || key.assert("nightly", "https://login.example").unwrap();
        assert_ne!(made(), made());
    }

    #[test]
    fn what_is_no_private_key_of_a_known_kind_is_none() {
        let public = rcgen::KeyPair::generate().unwrap().public_key_pem();
        let weak = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for pem in ["", "secret", public.as_str(), weak] {
            assert!(ClientKey::from_pem(pem.as_bytes()).is_none(), "{pem}");
        }
    }
}
