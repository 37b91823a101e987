//! Identity `signed_jwt`: a JWT of a few minutes for the engine's `jwt` domain.

use std::{
    borrow::Cow,
    fmt, fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::UNIX_EPOCH,
};

use aws_lc_rs::rand;
use data_encoding::BASE64URL_NOPAD;
use http::HeaderValue;
use quick_cache::sync::Cache;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::{Attributes, Caller, Credential, IdentityError, SigningKey, engine_user_name, name::encoded};

/// Claims that the proxy sets itself.
const OWN_CLAIMS: [&str; 9] = ["aud", "client_id", "exp", "iat", "iss", "jti", "nbf", "roles", "sub"];
/// How far `nbf` lies before `iat`, in seconds: the engine's clock may be behind by that much.
const NOT_BEFORE_LEEWAY: u64 = 30;
/// Tokens remembered at most; an entry is about 2 KiB.
const CACHED_TOKENS: usize = 10_000;
/// Configurable lifetimes in seconds.
const LIFETIMES: std::ops::RangeInclusive<u64> = 10..=3600;

/// Mints and remembers the tokens of one cluster.
///
/// A token is reused for the same caller, roles and attributes until half of its lifetime is left. From then on one
/// request makes the next token while the others go on with the present one, which is good for three quarters of its
/// lifetime; so requests for a caller that is busy never wait for a signature.
pub struct SignedJwt {
    key: SigningKey,
    /// The encoded header and the dot after it.
    header: String,
    issuer: String,
    audience: String,
    lifetime: u64,
    attributes: Attributes,
    cache: Cache<Box<[u8]>, Arc<Minted>>,
}

/// A token with what it says.
struct Minted {
    name: Arc<str>,
    roles: Arc<[Arc<str>]>,
    value: HeaderValue,
    issued_at: u64,
    being_renewed: AtomicBool,
}

impl SignedJwt {
    /// Reads the key.
    pub fn from_config(settings: &config::model::SignedJwt) -> Result<Self, IdentityError> {
        let path = &settings.private_key;
        let pem = fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|source| IdentityError::ReadKey { path: path.clone(), source })?;
        let key =
            SigningKey::from_pem(&pem).map_err(|source| IdentityError::Key { path: path.clone(), source })?;
        let lifetime = std::time::Duration::from(settings.lifetime).as_secs();
        let attributes = Attributes::new(&settings.attributes, &OWN_CLAIMS)?;
        Self::new(key, &settings.issuer, &settings.audience, lifetime, attributes)
    }

    /// An identity from its parts; `lifetime` in seconds.
    pub fn new(
        key: SigningKey,
        issuer: &str,
        audience: &str,
        lifetime: u64,
        attributes: Attributes,
    ) -> Result<Self, IdentityError> {
        if !LIFETIMES.contains(&lifetime) {
            return Err(IdentityError::Lifetime(lifetime));
        }
        let header = json!({ "alg": key.algorithm(), "kid": key.key_id(), "typ": "JWT" }).to_string();
        Ok(Self {
            header: BASE64URL_NOPAD.encode(header.as_bytes()) + ".",
            key,
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            lifetime,
            attributes,
            cache: Cache::new(CACHED_TOKENS),
        })
    }

    /// The key that signs.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The same identity with another key, to try whether an engine tells them apart.
    pub(crate) fn with_key(&self, key: SigningKey) -> Result<Self, IdentityError> {
        Self::new(key, &self.issuer, &self.audience, self.lifetime, self.attributes.clone())
    }

    /// A `Bearer` credential for the caller, from the cache or newly signed.
    pub fn credential(&self, caller: &Caller<'_>) -> Result<Credential, IdentityError> {
        let now = caller.now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let attributes = self.attributes.read(caller.claims)?;
        let key = cache_key(caller, &attributes);
        if let Some(minted) = self.cache.get(key.as_slice())
            && minted.serves(now, self.lifetime)
        {
            return Ok(minted.credential());
        }
        let minted = Arc::new(self.mint(caller, &attributes, now)?);
        self.cache.insert(key.into_boxed_slice(), Arc::clone(&minted));
        Ok(minted.credential())
    }

    fn mint(
        &self,
        caller: &Caller<'_>,
        attributes: &[(&str, Cow<'_, str>)],
        now: u64,
    ) -> Result<Minted, IdentityError> {
        let name: Arc<str> = engine_user_name(caller.provider, caller.principal()).into();
        let roles = caller.backend_roles();
        let mut id = [0; 16];
        rand::fill(&mut id).map_err(|_| IdentityError::Sign)?;

        let mut claims: Map<String, Value> =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        claims.insert("iss".to_owned(), json!(self.issuer));
        claims.insert("aud".to_owned(), json!(self.audience));
        claims.insert("sub".to_owned(), json!(&*name));
        claims.insert("roles".to_owned(), roles.iter().map(|role| json!(&**role)).collect());
        claims.insert("iat".to_owned(), json!(now));
        claims.insert("nbf".to_owned(), json!(now.saturating_sub(NOT_BEFORE_LEEWAY)));
        claims.insert("exp".to_owned(), json!(now + self.lifetime));
        claims.insert("jti".to_owned(), json!(BASE64URL_NOPAD.encode(&id)));
        if let Some(client) = caller.client_id {
            claims.insert("client_id".to_owned(), json!(encoded(client)));
        }

        let mut token = self.header.clone();
        token.push_str(&BASE64URL_NOPAD.encode(Value::Object(claims).to_string().as_bytes()));
        let signature = self.key.sign(token.as_bytes()).map_err(|_| IdentityError::Sign)?;
        token.push('.');
        token.push_str(&BASE64URL_NOPAD.encode(&signature));
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| IdentityError::Sign)?;
        value.set_sensitive(true);
        Ok(Minted { name, roles: roles.into(), value, issued_at: now, being_renewed: AtomicBool::new(false) })
    }
}

impl fmt::Debug for SignedJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedJwt")
            .field("key", &self.key)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("lifetime", &self.lifetime)
            .field("attributes", &self.attributes)
            .field("cached", &self.cache.len())
            .finish_non_exhaustive()
    }
}

impl Minted {
    /// Whether this token may answer a request at `now`; if not, the request makes the next one.
    fn serves(&self, now: u64, lifetime: u64) -> bool {
        // A clock set back by more than the leeway would make the token one of the future.
        if now + NOT_BEFORE_LEEWAY < self.issued_at {
            return false;
        }
        let age = now.saturating_sub(self.issued_at);
        if age * 2 < lifetime {
            true
        } else {
            // Whoever comes first after half-time renews.
            age * 4 < lifetime * 3 && self.being_renewed.swap(true, Ordering::Relaxed)
        }
    }

    fn credential(&self) -> Credential {
        Credential::authorization(Arc::clone(&self.name), Arc::clone(&self.roles), self.value.clone())
    }
}

/// All that a token says of its caller, each part with its length in front, so that no two differing callers meet.
fn cache_key(caller: &Caller<'_>, attributes: &[(&str, Cow<'_, str>)]) -> Vec<u8> {
    let mut key = Vec::with_capacity(256);
    let mut part = |text: &str| {
        key.extend_from_slice(&text.len().to_le_bytes());
        key.extend_from_slice(text.as_bytes());
    };
    part(caller.provider);
    part(caller.principal());
    // An absent client and an empty one differ.
    part(if caller.client_id.is_some() { "client" } else { "" });
    part(caller.client_id.unwrap_or_default());
    for list in [caller.permit.scopes.as_slice(), caller.permit.roles.as_slice()] {
        for text in list {
            part(text);
        }
        part("");
    }
    for (name, value) in attributes {
        part(name);
        part(value);
    }
    key
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        time::{Duration, SystemTime},
    };

    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};

    use claims::ClaimPath;

    use super::*;
    use crate::{KeyKind, generate_key, testing::Fixture};

    fn identity(kind: KeyKind) -> SignedJwt {
        let key = SigningKey::from_pem(&generate_key(kind).unwrap()).unwrap();
        let attributes = BTreeMap::from([("tenant".to_owned(), ClaimPath::member("org"))]);
        let attributes = Attributes::new(&attributes, &OWN_CLAIMS).unwrap();
        SignedJwt::new(key, "opensearch-oauth-proxy", "opensearch", 300, attributes).unwrap()
    }

    fn token(identity: &SignedJwt, fixture: &Fixture) -> String {
        let credential = fixture.with(|caller| identity.credential(caller)).unwrap();
        let mut headers = credential.headers();
        let (name, value) = headers.next().unwrap();
        assert_eq!(name, "authorization");
        assert!(headers.next().is_none() && value.is_sensitive());
        value.to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned()
    }

    /// Checks the signature with another implementation and returns the claims.
    fn claims(identity: &SignedJwt, token: &str) -> Value {
        let algorithm =
            if identity.key().algorithm() == "RS256" { Algorithm::RS256 } else { Algorithm::ES256 };
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&["opensearch"]);
        validation.set_issuer(&["opensearch-oauth-proxy"]);
        let pem = identity.key().public_pem();
        let from_pem = match algorithm {
            Algorithm::RS256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
            _ => DecodingKey::from_ec_pem(pem.as_bytes()),
        };
        let jwks: JwkSet = serde_json::from_value(identity.key().jwks()).unwrap();
        let jwk = jwks.find(&decode_header(token).unwrap().kid.unwrap()).unwrap();
        let by_jwk: Value = decode(token, &DecodingKey::from_jwk(jwk).unwrap(), &validation).unwrap().claims;
        assert_eq!(by_jwk, decode::<Value>(token, &from_pem.unwrap(), &validation).unwrap().claims);
        by_jwk
    }

    #[test]
    fn another_implementation_verifies_what_is_minted() {
        for kind in [KeyKind::Rsa2048, KeyKind::P256] {
            let identity = identity(kind);
            let mut fixture = Fixture::new(&["read:metrics-*", "read:logs-*"], &["sre"]);
            fixture.now = SystemTime::now();
            fixture.claims.insert("org".to_owned(), "acme".into());
            let claims = claims(&identity, &token(&identity, &fixture));
            assert_eq!(claims["sub"], "keycloak:alice");
            assert_eq!(claims["client_id"], "agent");
            assert_eq!(claims["tenant"], "acme");
            assert_eq!(claims["roles"], json!(["read:logs-*", "read:metrics-*", "sre"]));
            let time = |name: &str| claims[name].as_u64().unwrap();
            assert_eq!((time("exp") - time("iat"), time("iat") - time("nbf")), (300, 30));
        }
    }

    #[test]
    fn a_client_on_its_own_is_the_user_and_an_absent_claim_is_left_out() {
        let identity = identity(KeyKind::P256);
        let mut fixture = Fixture::new(&["read:logs-*"], &[]);
        (fixture.user, fixture.now) = (None, SystemTime::now());
        let with_client = claims(&identity, &token(&identity, &fixture));
        assert_eq!(with_client["sub"], "keycloak:agent");
        assert_eq!(with_client.get("tenant"), None);
        fixture.client = None;
        let with_subject = claims(&identity, &token(&identity, &fixture));
        assert_eq!(with_subject["sub"], "keycloak:f81d4fae");
        assert_eq!(with_subject.get("client_id"), None);
    }

    #[test]
    fn a_token_is_reused_until_half_of_its_lifetime_is_left_and_then_renewed_by_one() {
        let identity = identity(KeyKind::P256);
        let start = Fixture::new(&["read:logs-*"], &[]);
        let at = |seconds: u64| {
            let mut fixture = Fixture::new(&["read:logs-*"], &[]);
            fixture.now = start.now + Duration::from_secs(seconds);
            token(&identity, &fixture)
        };
        let first = at(0);
        assert_eq!(first, at(149));
        let second = at(150);
        assert_ne!(first, second);
        assert_eq!(second, at(151));
        assert_ne!(second, at(150 + 226));
    }

    #[test]
    fn a_token_past_half_time_still_serves_those_who_do_not_renew_it() {
        let minted = |being_renewed| Minted {
            name: "n".into(),
            roles: Arc::new([]),
            value: HeaderValue::from_static("v"),
            issued_at: 1000,
            being_renewed: AtomicBool::new(being_renewed),
        };
        for (now, being_renewed, serves) in [
            (969, false, false),
            (970, false, true),
            (1149, false, true),
            (1150, false, false),
            (1150, true, true),
            (1224, true, true),
            (1225, true, false),
        ] {
            assert_eq!(minted(being_renewed).serves(now, 300), serves, "{now} {being_renewed}");
        }
    }

    #[test]
    fn callers_who_differ_in_anything_never_share_a_token() {
        let identity = identity(KeyKind::P256);
        let mut seen = std::collections::BTreeSet::new();
        let changes: [fn(&mut Fixture); 8] = [
            |_| {},
            |f| f.user = Some("bob".to_owned()),
            |f| f.user = None,
            |f| f.client = None,
            |f| f.client = Some(String::new()),
            |f| f.permit.scopes.push("read:metrics-*".into()),
            |f| f.permit.roles = crate::testing::arcs(&["sre"]),
            |f| drop(f.claims.insert("org".to_owned(), "acme".into())),
        ];
        for change in changes {
            let mut fixture = Fixture::new(&["read:logs-*"], &[]);
            change(&mut fixture);
            assert!(seen.insert(token(&identity, &fixture)));
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let identity = identity(KeyKind::Rsa2048);
        let fixture = Fixture::new(&["read:logs-*"], &[]);
        let token = token(&identity, &fixture);
        let shown = format!("{identity:?} {:?}", fixture.with(|caller| identity.credential(caller)));
        assert!(!shown.contains(&token) && !shown.contains("Bearer") && !shown.contains("PRIVATE"));
    }

    #[test]
    fn the_claims_that_the_proxy_sets_cannot_be_attributes() {
        for name in OWN_CLAIMS {
            let attributes = BTreeMap::from([(name.to_owned(), ClaimPath::member("x"))]);
            assert!(Attributes::new(&attributes, &OWN_CLAIMS).is_err(), "{name}");
        }
    }
}
