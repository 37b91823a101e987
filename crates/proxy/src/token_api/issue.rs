//! Issuing: to clients by their credentials, for a provider's token, and for what a person allowed.

use std::{sync::Arc, time::Duration};

use access::{Grant as Right, Scope};
use http::HeaderValue;
use jiff::Timestamp;
use oauth::{
    ACCESS_TOKEN_TYPE, ClientAuthentication, ErrorCode, Exchange, Form, Grant, Owner, Target, TokenAnswer,
    TokenOptions, TokenRequest,
};
use oidc::{BearerToken, ClientProof, Identity, ProviderRefusal, RelayError};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use tokens::{
    Asked, Claims, Details, Grounds, Issued, Party, PolicyError, Presented, Secret, Status, Terms, Through,
};

use super::{
    Api,
    answer::{Answer, Fault},
    caller::party,
    manage::of_tokens,
    notify::Event,
    redeem,
};
use crate::{
    authenticate::{self, AuthenticationError},
    errors,
    principal::{Principal, View},
    record::Entry,
    snapshot::{Cluster, Destination},
};

/// `POST /oauth/token`.
pub(crate) async fn token(
    api: &Api<'_>,
    authorization: Option<&[u8]>,
    form: &Form,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let TokenRequest { grant, options } = TokenRequest::read(authorization, form)?;
    let (presenter, act, issued_type) = match &grant {
        Grant::ClientCredentials(client) => {
            entry.note(|record| record.client_id = client.client_id().map(str::to_owned));
            (client_credentials(api, client, &options).await?, None, None)
        }
        Grant::TokenExchange(exchange) => {
            let (presenter, act) = exchanged(api, exchange).await?;
            (presenter, act, Some(ACCESS_TOKEN_TYPE))
        }
        Grant::AuthorizationCode(redemption) => {
            return give(api, &redeem::code(api, redemption, entry).await?, None, entry);
        }
        Grant::DeviceCode(redemption) => {
            return give(api, &redeem::device(api, redemption, entry).await?, None, entry);
        }
    };
    entry.caller(presenter.identity());
    let clusters = clusters(api, &options.targets)?;
    let issued = issue(api, &presenter, act, options, clusters).await?;
    give(api, &issued, issued_type, entry)
}

/// Tells whoever is to know of a new token, and gives it out.
fn give(
    api: &Api<'_>,
    issued: &Issued,
    issued_type: Option<&'static str>,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    if issued.token.status(Timestamp::now()) == Status::Pending {
        api.service.tell(Event::Requested, &issued.token);
    }
    let granted: Vec<String> = issued.token.scopes.iter().map(ToString::to_string).collect();
    entry.note(|record| {
        record.targets = vec![issued.token.id.to_string()];
        record.detail = Some(format!("issued with {} until {}", granted.join(" "), issued.token.expires_at));
    });
    answer(issued, issued_type)
}

/// The answer that holds the secret: the only one that ever does.
pub(crate) fn answer(issued: &Issued, issued_token_type: Option<&'static str>) -> Result<Answer, Fault> {
    let Issued { token, secret } = issued;
    let now = Timestamp::now();
    let left = token.expires_at.as_second().saturating_sub(token.created_at.as_second());
    let scopes: Vec<String> = token.scopes.iter().map(ToString::to_string).collect();
    Answer::json(&TokenAnswer {
        access_token: secret.expose(),
        token_type: "Bearer",
        expires_in: u64::try_from(left).unwrap_or(0),
        scope: scopes.join(" "),
        token_id: token.id.to_string(),
        issued_token_type,
        status: if token.status(now) == Status::Pending { "pending" } else { "active" },
    })
}

async fn issue(
    api: &Api<'_>,
    presenter: &Principal,
    act: Option<Value>,
    options: TokenOptions,
    clusters: Vec<&Cluster>,
) -> Result<Issued, Fault> {
    let identity = presenter.identity();
    let scopes =
        options.scope.map(|scopes| scopes.iter().map(scope).collect::<Result<Vec<_>, _>>()).transpose()?;
    let metadata = options.metadata;
    let details = Details::new(options.name.as_deref(), options.description.as_deref(), metadata)
        .map_err(|error| Fault::new(ErrorCode::InvalidRequest, error.to_string()))?;
    let owner = options.owner.map(|owner| for_other(identity, owner)).transpose()?;
    let asked = Asked { scopes, lifetime: options.expires_in.map(Duration::from_secs), details, owner };
    let terms = judge(api, presenter, asked, &clusters)?;
    if !terms.narrowed().is_empty() {
        let narrowed: Vec<String> = terms.narrowed().iter().map(ToString::to_string).collect();
        let why = format!("more is asked for than is held and allowed: {}", narrowed.join(" "));
        return Err(Fault::new(ErrorCode::InvalidScope, why));
    }
    let grounds = grounds(presenter, act, &clusters, None)?;
    api.service.tokens().issue(terms, grounds, Timestamp::now()).await.map_err(|error| of_tokens(&error))
}

/// On what terms a token can be issued to who presents another, for these clusters; without any, for all.
pub(crate) fn judge(
    api: &Api<'_>,
    presenter: &Principal,
    asked: Asked,
    clusters: &[&Cluster],
) -> Result<Terms, Fault> {
    let all: Vec<&Cluster> = api.snapshot.clusters().iter().map(|cluster| &**cluster).collect();
    let reachable = if clusters.is_empty() { &all } else { clusters };
    let rights: Vec<_> = reachable
        .iter()
        .filter(|cluster| cluster.takes_managed_tokens())
        .filter_map(|cluster| presenter.rights(cluster.index()))
        .collect();
    let identity = presenter.identity();
    let policies = api.service.policies();
    let judged = policies.judge(asked, &View::of(identity, &kept_claims(identity).into()), &rights);
    judged.map_err(|error| of_policy(&error))
}

/// What a token is made from.
pub(crate) fn grounds(
    presenter: &Principal,
    act: Option<Value>,
    clusters: &[&Cluster],
    through: Option<Through>,
) -> Result<Grounds, Fault> {
    let identity = presenter.identity();
    Ok(Grounds {
        presenter: party(identity),
        presented: Presented {
            jti: identity.token_id.as_deref().map(Into::into),
            issued_at: identity.issued_at.and_then(authenticate::timestamp),
        },
        claims: Claims::new(&kept_claims(identity))
            .map_err(|error| Fault::new(ErrorCode::InvalidRequest, error.to_string()))?,
        act,
        clusters: clusters.iter().map(|cluster| cluster.name().into()).collect(),
        through,
    })
}

/// Somebody else whom a token is for, of the same issuer as who asks: that much is known of them.
fn for_other(identity: &Identity, owner: Owner) -> Result<Party, Fault> {
    let texts = [Some(&owner.subject), owner.client_id.as_ref(), owner.user.as_ref()];
    if texts.into_iter().flatten().any(|text| text.len() > 256 || text.contains(char::is_control)) {
        let why = "owner, owner_client_id and owner_user are one line of at most 256 bytes each";
        return Err(Fault::new(ErrorCode::InvalidRequest, why));
    }
    Ok(Party {
        subject: owner.subject.into(),
        client_id: owner.client_id.map(Into::into),
        user: owner.user.map(Into::into),
        ..party(identity)
    })
}

/// The claims to be kept. Introspection may leave the issuer out, which rules and later checks go by.
pub(crate) fn kept_claims(identity: &Identity) -> Map<String, Value> {
    let mut claims = Map::clone(&identity.claims);
    claims.entry("iss").or_insert_with(|| Value::from(&*identity.issuer));
    claims
}

/// A scope that a token can have.
pub(crate) fn scope(text: &str) -> Result<Scope, Fault> {
    let refuse = |why: String| Fault::new(ErrorCode::InvalidScope, why);
    let scope: Scope = text.parse().map_err(|error| refuse(format!("{text}: {error}")))?;
    match scope.grant {
        Right::Role(_) => Err(refuse(format!("{text}: a token holds rights, not engine roles"))),
        _ => Ok(scope),
    }
}

fn of_policy(error: &PolicyError) -> Fault {
    let code = match error {
        PolicyError::NothingHeld
        | PolicyError::NotHeld { .. }
        | PolicyError::NotAllowed { .. }
        | PolicyError::TooManyScopes => ErrorCode::InvalidScope,
        PolicyError::NoPolicy | PolicyError::ForOthers => ErrorCode::UnauthorizedClient,
        PolicyError::Missing { .. } | PolicyError::NoLifetime => ErrorCode::InvalidRequest,
    };
    Fault::new(code, error.to_string())
}

/// The clusters that a token shall count on; empty: wherever its claims reach.
pub(crate) fn clusters<'s>(api: &Api<'s>, targets: &[Target]) -> Result<Vec<&'s Cluster>, Fault> {
    let settings = &api.snapshot.config().clusters;
    let audience = |cluster: &Cluster| settings.get(cluster.index())?.audience.as_ref();
    let mut found: Vec<&Cluster> = Vec::new();
    for target in targets {
        let means = |cluster: &&Cluster| match target {
            Target::Resource(uri) => uri.trim_end_matches('/') == cluster.resource(&Destination::Engine),
            Target::Audience(name) => *name == *cluster.name() || audience(cluster) == Some(name),
        };
        let meant: Vec<&Cluster> =
            api.snapshot.clusters().iter().map(|cluster| &**cluster).filter(means).collect();
        if meant.is_empty() {
            let why = "resource must be the resource of a cluster, audience the name or audience of one";
            return Err(Fault::new(ErrorCode::InvalidTarget, why));
        }
        if let Some(other) = meant.iter().find(|cluster| !cluster.takes_managed_tokens()) {
            let why = format!("the cluster {} takes only its provider's own tokens", other.name());
            return Err(Fault::new(ErrorCode::InvalidTarget, why));
        }
        found.extend(meant);
    }
    found.sort_unstable_by_key(|cluster| cluster.index());
    found.dedup_by_key(|cluster| cluster.index());
    Ok(found)
}

async fn client_credentials(
    api: &Api<'_>,
    client: &ClientAuthentication,
    options: &TokenOptions,
) -> Result<Arc<Principal>, Fault> {
    let provider = provider(api, options.provider.as_deref())?;
    let header;
    let proof = match client {
        ClientAuthentication::Basic { authorization, .. } => {
            let mut value = HeaderValue::from_str(authorization.expose_secret())
                .map_err(|_| Fault::new(ErrorCode::InvalidClient, "the Basic credentials are malformed"))?;
            value.set_sensitive(true);
            header = value;
            ClientProof::Basic(&header)
        }
        ClientAuthentication::Post { client_id, client_secret } => {
            ClientProof::Post { client_id, client_secret: client_secret.expose_secret() }
        }
        ClientAuthentication::Assertion { client_id, assertion } => {
            ClientProof::Assertion { client_id: client_id.as_deref(), assertion: assertion.expose_secret() }
        }
    };
    let scope = options.provider_scope.as_ref().or(options.scope.as_ref()).map(ToString::to_string);
    let longest = api.snapshot.limits().token_size;
    let providers = api.snapshot.providers();
    let mut outcome = providers.client_credentials(provider, proof, scope.as_deref(), longest).await;
    // A provider need not know the scopes that mappings give; then its own default is what counts. An assertion can be used
    // once only.
    let can_repeat =
        options.provider_scope.is_none() && !matches!(client, ClientAuthentication::Assertion { .. });
    if matches!(outcome, Err(RelayError::Refused(ProviderRefusal::InvalidScope)))
        && scope.is_some()
        && can_repeat
    {
        outcome = providers.client_credentials(provider, proof, None, longest).await;
    }
    let token = outcome.map_err(|error| of_relay(&error))?;
    let principal = authenticate::of_provider(&token, api.snapshot)
        .await
        .map_err(|error| Fault::presented(ErrorCode::UnauthorizedClient, "the provider's token", &error))?;
    let identity = principal.identity();
    let same = client.client_id().is_none_or(|client| identity.client_id.as_deref() == Some(client));
    if *identity.provider != *provider || !same {
        return Err(Fault::new(ErrorCode::UnauthorizedClient, "the provider's token names another client"));
    }
    Ok(principal)
}

/// The provider that knows the client.
fn provider<'s>(api: &Api<'s>, named: Option<&str>) -> Result<&'s str, Fault> {
    let providers = &api.snapshot.config().providers;
    let found = match (named, providers.as_slice()) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(name), all) => all.iter().find(|provider| provider.name == name),
    };
    found.map(|provider| provider.name.as_str()).ok_or_else(|| {
        let names: Vec<_> = providers.iter().map(|provider| provider.name.as_str()).collect();
        Fault::new(ErrorCode::InvalidRequest, format!("provider must be one of: {}", names.join(", ")))
    })
}

fn of_relay(error: &RelayError) -> Fault {
    let code = match error {
        RelayError::Refused(refusal) => match refusal {
            ProviderRefusal::InvalidClient => ErrorCode::InvalidClient,
            ProviderRefusal::InvalidGrant => ErrorCode::InvalidGrant,
            ProviderRefusal::InvalidRequest => ErrorCode::InvalidRequest,
            ProviderRefusal::InvalidScope => ErrorCode::InvalidScope,
            ProviderRefusal::InvalidTarget => ErrorCode::InvalidTarget,
            ProviderRefusal::UnauthorizedClient | ProviderRefusal::UnsupportedGrantType => {
                ErrorCode::UnauthorizedClient
            }
        },
        RelayError::UnknownProvider => ErrorCode::InvalidRequest,
        RelayError::Busy | RelayError::Unavailable(_) => ErrorCode::TemporarilyUnavailable,
        _ => ErrorCode::ServerError,
    };
    Fault::new(code, error.to_string()).because(errors::chain(error))
}

/// Whom an exchanged token stands for, and who acts for them.
async fn exchanged(api: &Api<'_>, exchange: &Exchange) -> Result<(Arc<Principal>, Option<Value>), Fault> {
    let subject = presented(api, "subject_token", &exchange.subject_token).await?;
    let claims = &subject.identity().claims;
    let Some(actor) = &exchange.actor_token else {
        // Whoever acted already goes on doing so.
        let act = claims.get("act").filter(|act| act.is_object()).cloned();
        return Ok((subject, act));
    };
    let actor = presented(api, "actor_token", actor).await?;
    let actor = actor.identity();
    if let Some(may_act) = claims.get("may_act")
        && !is_meant(may_act, actor)
    {
        let why = "the subject's token names another actor (may_act)";
        return Err(Fault::new(ErrorCode::InvalidRequest, why));
    }
    let mut act = Map::new();
    act.insert("iss".to_owned(), Value::from(&*actor.issuer));
    act.insert("sub".to_owned(), Value::from(&*actor.subject));
    if let Some(client) = &actor.client_id {
        act.insert("client_id".to_owned(), Value::from(&**client));
    }
    if let Some(earlier) = claims.get("act").filter(|act| act.is_object()) {
        act.insert("act".to_owned(), earlier.clone());
    }
    Ok((subject, Some(Value::Object(act))))
}

/// Whether every member of `may_act` says what is true of the actor (RFC 8693 section 4.4). What is not understood is not met.
fn is_meant(may_act: &Value, actor: &Identity) -> bool {
    let Some(members) = may_act.as_object().filter(|members| !members.is_empty()) else { return false };
    members.iter().all(|(name, value)| match (name.as_str(), value.as_str()) {
        ("iss", Some(issuer)) => *actor.issuer == *issuer,
        ("sub", Some(subject)) => *actor.subject == *subject,
        ("client_id" | "azp", Some(client)) => actor.client_id.as_deref() == Some(client),
        _ => false,
    })
}

/// A token of a provider, given as a parameter. What is wrong with it is an invalid request (RFC 8693 section 2.2.2).
async fn presented(api: &Api<'_>, which: &str, token: &SecretString) -> Result<Arc<Principal>, Fault> {
    let refuse = |error: AuthenticationError| Fault::presented(ErrorCode::InvalidRequest, which, &error);
    if Secret::is_meant_by(token.expose_secret()) {
        let why = format!("{which} must be a token of a provider; a managed token is rotated, not exchanged");
        return Err(Fault::new(ErrorCode::InvalidRequest, why));
    }
    let token = BearerToken::new(token.expose_secret().as_bytes(), api.snapshot.limits().token_size)
        .map_err(|error| refuse(error.into()))?;
    authenticate::of_provider(&token, api.snapshot).await.map_err(refuse)
}
