//! `GET /oauth/callback`: a person comes back from the provider.

use http::HeaderMap;
use jiff::Timestamp;
use oauth::{ErrorCode, Form};
use oidc::{LoginAnswer, LoginError, RelayError};

use super::{
    Api,
    answer::{Answer, Fault},
    authorize::Back,
    browser,
    consent::{self, Person},
    flow::{self, Asking, AskingWay, AtLogin},
};
use crate::{authenticate, errors, record::Entry};

/// Where the provider sends the browser.
pub(crate) fn callback(api: &Api<'_>) -> String {
    format!("{}/oauth/callback", api.issuer())
}

/// `GET /oauth/callback`. What this browser began is in its cookie, under the name that came back as `state`.
pub(crate) async fn come_back(
    api: &Api<'_>,
    headers: &HeaderMap,
    query: &Form,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let flow = query.required("state")?;
    if !flow::is_random(flow) {
        return Err(flow::lost());
    }
    let name = browser::cookie_name(flow);
    let sealed = browser::read_cookie(headers, &name).ok_or_else(flow::lost)?;
    let step: AtLogin = flow::open(api.service.notes(), flow, sealed, Timestamp::now())?;
    entry.note(|record| record.client_id = Some(step.asking.client_id.clone()));
    let outcome = match logged_in(api, query, &step, entry).await {
        Ok(person) => consent::ask(api, flow, &step.asking, person, entry).await,
        Err(fault) => Err(fault),
    };
    // Whatever came of it, the answer of the provider counts once.
    match outcome {
        Ok(answer) if answer.has_cookie() => Ok(answer),
        Ok(answer) => Ok(answer.with_cookie(browser::no_cookie(&name))),
        Err(fault) => Err(to_asker(api, &step.asking, fault).with_cookie(browser::no_cookie(&name))),
    }
}

/// A fault on the way as whoever asked is told it: the client, or, where a device asked, the person.
pub(crate) fn to_asker(api: &Api<'_>, asking: &Asking, fault: Fault) -> Fault {
    match &asking.way {
        AskingWay::Code { redirect_uri, state, .. } => {
            Back { redirect_uri, state: state.as_deref() }.tell(api, fault)
        }
        AskingWay::Device { .. } => fault,
    }
}

async fn logged_in(api: &Api<'_>, query: &Form, step: &AtLogin, entry: &mut Entry) -> Result<Person, Fault> {
    let rules = &api.clients()?.login;
    let providers = api.snapshot.providers();
    let checked = providers.check_login_issuer(&rules.provider, query.get("iss")).await;
    checked.map_err(|error| fault(&error))?;
    if let Some(error) = query.get("error") {
        return Err(of_provider(error));
    }
    let answer = LoginAnswer {
        code: query.required("code")?,
        client_id: &rules.client_id,
        client_secret: rules.client_secret.expose(),
        redirect_uri: &callback(api),
        code_verifier: &step.verifier,
        nonce: &step.nonce,
        max_length: api.snapshot.limits().token_size,
    };
    let login = providers.log_in(&rules.provider, answer).await.map_err(|error| fault(&error))?;
    let principal = authenticate::of_provider(&login.access_token, api.snapshot)
        .await
        .map_err(|error| Fault::presented(ErrorCode::AccessDenied, "the provider's access token", &error))?;
    let identity = principal.identity();
    entry.caller(identity);
    entry.note(|record| record.client_id = Some(step.asking.client_id.clone()));
    if *identity.provider != *rules.provider || *identity.subject != *login.subject {
        let why = "the provider's tokens name two people";
        return Err(Fault::new(ErrorCode::ServerError, why));
    }
    Ok(Person::new(principal))
}

/// An error that the provider sent the browser back with. Of its words only the registered ones are read.
fn of_provider(error: &str) -> Fault {
    let (code, why) = match error {
        "access_denied" => (ErrorCode::AccessDenied, "the login was declined"),
        "login_required" | "interaction_required" | "consent_required" | "account_selection_required" => {
            (ErrorCode::LoginRequired, "the person must log in")
        }
        "temporarily_unavailable" => {
            (ErrorCode::TemporarilyUnavailable, "the identity provider cannot log anybody in now")
        }
        _ => (ErrorCode::ServerError, "the identity provider refused the login"),
    };
    let shown: String = error.chars().filter(char::is_ascii_graphic).take(64).collect();
    Fault::new(code, why).because(format!("the provider answered {shown}"))
}

/// What a failed login is for the client.
pub(crate) fn fault(error: &LoginError) -> Fault {
    let code = match error {
        LoginError::Relay(RelayError::Busy | RelayError::Unavailable(_)) => ErrorCode::TemporarilyUnavailable,
        LoginError::IdToken(error) if error.is_unavailable() => ErrorCode::TemporarilyUnavailable,
        _ => ErrorCode::ServerError,
    };
    Fault::new(code, "nobody could be logged in at the identity provider").because(errors::chain(error))
}
