//! `POST /oauth/token` with what a person allowed: an authorization code (RFC 6749 section 4.1.3) or a device's code (RFC 8628).

use config::model::TokenClientGrant;
use jiff::Timestamp;
use oauth::{ClaimedClient, CodeChallenge, CodeRedemption, DeviceRedemption, ErrorCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokens::{Authorization, Decision, GrantCode, Issued, NotAuthorized, Through, TokenId, TokensError, Way};

use super::{
    Api,
    answer::Fault,
    clients::Client,
    consent::{Person, named_clusters, terms},
    issue::grounds,
    manage::of_tokens,
};
use crate::record::Entry;

/// Exchanges an authorization code. One that comes a second time has been seen by somebody else, so what it gave is ended.
pub(crate) async fn code(
    api: &Api<'_>,
    redemption: &CodeRedemption,
    entry: &mut Entry,
) -> Result<Issued, Fault> {
    let client = client(api, &redemption.client, TokenClientGrant::AuthorizationCode, entry)?;
    let code = GrantCode::presented(redemption.code.expose_secret());
    let authorization = api.service.tokens().authorization(&code).await.map_err(|error| refuse(&error))?;
    if let Err(NotAuthorized::Redeemed(token)) = authorization.allowed(Timestamp::now()) {
        end(api, &token).await?;
    }
    let Way::Code { redirect_uri, challenge } = &authorization.way else { return Err(unknown()) };
    let proven =
        CodeChallenge::parse(challenge).is_some_and(|challenge| challenge.is_met_by(&redemption.verifier));
    if *authorization.client_id != *client.id() || **redirect_uri != *redemption.redirect_uri || !proven {
        return Err(unknown());
    }
    match fetch(api, client, &authorization, entry).await {
        Err(NotFetched::Redeemed(token)) => {
            end(api, &token).await?;
            Err(refuse(&NotAuthorized::Redeemed(token).into()))
        }
        Err(NotFetched::Other(fault)) => Err(fault),
        Ok(issued) => Ok(issued),
    }
}

/// Exchanges a device's code, once a person has decided.
pub(crate) async fn device(
    api: &Api<'_>,
    redemption: &DeviceRedemption,
    entry: &mut Entry,
) -> Result<Issued, Fault> {
    let client = client(api, &redemption.client, TokenClientGrant::DeviceCode, entry)?;
    let code = GrantCode::presented(redemption.device_code.expose_secret());
    let authorization = api.service.tokens().authorization(&code).await.map_err(|error| refuse(&error))?;
    if *authorization.client_id != *client.id() || !matches!(authorization.way, Way::Device { .. }) {
        return Err(unknown());
    }
    match authorization.allowed(Timestamp::now()) {
        Err(NotAuthorized::Waiting) => {
            let (code, why) = if api.service.polls().ask(&authorization.id) {
                (ErrorCode::AuthorizationPending, "nobody has decided yet: ask again")
            } else {
                (ErrorCode::SlowDown, "wait five seconds longer between two requests from now on")
            };
            return Err(Fault::new(code, why));
        }
        Err(NotAuthorized::Denied) => {
            return Err(Fault::new(ErrorCode::AccessDenied, "the person did not agree"));
        }
        Err(NotAuthorized::Expired) => {
            return Err(Fault::new(ErrorCode::ExpiredToken, "nobody decided in time: begin again"));
        }
        Ok(_) | Err(NotAuthorized::Unknown | NotAuthorized::Redeemed(_)) => {}
    }
    fetch(api, client, &authorization, entry).await.map_err(|not| match not {
        NotFetched::Redeemed(token) => refuse(&NotAuthorized::Redeemed(token).into()),
        NotFetched::Other(fault) => fault,
    })
}

/// Why an authorization gave no token.
enum NotFetched {
    /// Somebody was faster.
    Redeemed(TokenId),
    Other(Fault),
}

impl From<Fault> for NotFetched {
    fn from(fault: Fault) -> Self {
        Self::Other(fault)
    }
}

async fn fetch(
    api: &Api<'_>,
    client: &Client,
    authorization: &Authorization,
    entry: &mut Entry,
) -> Result<Issued, NotFetched> {
    let now = Timestamp::now();
    let not = |error: NotAuthorized| match error {
        NotAuthorized::Redeemed(token) => NotFetched::Redeemed(token),
        error => NotFetched::Other(refuse(&error.into())),
    };
    let allowed = authorization.allowed(now).map_err(not)?;
    let permission = &allowed.permission;
    let person = Person::recalled(api, &allowed.issuer, allowed.claims.to_map())?;
    entry.caller(person.principal().identity());
    entry.note(|record| record.client_id = Some(client.id().to_owned()));
    let terms = terms(api, &person, client, permission)
        .map_err(|fault| Fault::new(ErrorCode::InvalidGrant, fault.description()))?;
    if !terms.narrowed().is_empty() || !client.may_have(terms.scopes()) {
        let why = "the person or the client may not have all of it any more: ask again";
        return Err(Fault::new(ErrorCode::InvalidGrant, why).into());
    }
    let clusters = named_clusters(api, &permission.clusters)?;
    let through = Through { client_id: client.id().into(), consent: allowed.consent.clone() };
    let grounds = grounds(person.principal(), Some(actor(api, client)), &clusters, Some(through))?;
    match api.service.tokens().redeem(&authorization.id, terms, grounds, now).await {
        Ok(issued) => Ok(issued),
        Err(TokensError::NotAuthorized(error)) => Err(not(error)),
        Err(error) => Err(of_tokens(&error).into()),
    }
}

/// The client as who acts for the person (RFC 8693 section 4.1).
fn actor(api: &Api<'_>, client: &Client) -> Value {
    json!({"iss": api.issuer(), "sub": client.id(), "client_id": client.id()})
}

fn client<'s>(
    api: &Api<'s>,
    claimed: &ClaimedClient,
    grant: TokenClientGrant,
    entry: &mut Entry,
) -> Result<&'s Client, Fault> {
    entry.note(|record| record.client_id = Some(claimed.client_id.clone()));
    let clients = api.clients().map_err(|_| {
        let why = "this service asks nobody: it has no clients of its own (tokens.authorization)";
        Fault::new(ErrorCode::UnsupportedGrantType, why)
    })?;
    let client = clients.authenticate(claimed)?;
    client.must_use(grant)?;
    Ok(client)
}

/// Ends a token whose code is known to more than the client that it was for.
async fn end(api: &Api<'_>, id: &TokenId) -> Result<(), Fault> {
    let Some(token) = api.service.tokens().get(id) else { return Ok(()) };
    let reason = Some("its authorization code was used a second time".into());
    let decision = Decision { at: Timestamp::now(), by: token.owner.clone(), reason };
    api.service.tokens().revoke(id, decision).await.map_err(|error| of_tokens(&error))?;
    api.token_ended(&token.owner);
    Ok(())
}

/// One answer for whatever is wrong with a code, so that nothing is learnt by trying.
fn unknown() -> Fault {
    refuse(&NotAuthorized::Unknown.into())
}

fn refuse(error: &TokensError) -> Fault {
    match error {
        TokensError::NotAuthorized(error) => {
            let why = "the code is not known, is used or too old, or was not given to this client at this redirect_uri for this code_verifier";
            Fault::new(ErrorCode::InvalidGrant, why).because(error.to_string())
        }
        error => of_tokens(error),
    }
}
