//! `GET /oauth/authorize`: a client sends a person's browser (RFC 6749 section 4.1.1).

use config::model::TokenClientGrant;
use jiff::Timestamp;
use oauth::{AuthorizationRequest, CodeVerifier, ErrorCode, Form, Wish, with_parameters};
use oidc::LoginRequest;

use super::{
    Api,
    answer::{Answer, Fault},
    browser::{self, SameSite},
    clients::Client,
    flow::{self, Asking, AskingWay, AtLogin},
    issue::{clusters, scope},
    login,
};
use crate::record::Entry;

/// Where an answer to the client goes, and what goes with it (RFC 6749 section 4.1.2, RFC 9207).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Back<'a> {
    pub(crate) redirect_uri: &'a str,
    pub(crate) state: Option<&'a str>,
}

impl Back<'_> {
    /// The address with these parameters.
    pub(crate) fn with(&self, api: &Api<'_>, parameters: &[(&str, &str)]) -> String {
        let issuer = api.issuer();
        let mut all = parameters.to_vec();
        all.extend(self.state.map(|state| ("state", state)));
        all.push(("iss", &issuer));
        with_parameters(self.redirect_uri, &all)
    }

    /// The fault as the client is told it.
    pub(crate) fn tell(&self, api: &Api<'_>, fault: Fault) -> Fault {
        let error = fault.told_to_client();
        let location =
            self.with(api, &[("error", error.code.as_str()), ("error_description", &error.spoken())]);
        fault.redirected(location)
    }
}

/// `GET /oauth/authorize`. Before client and redirect URI are known to belong together, nothing is sent anywhere.
pub(crate) async fn request(api: &Api<'_>, query: &Form, entry: &mut Entry) -> Result<Answer, Fault> {
    let client_id = query.required("client_id")?;
    let client = api.clients()?.named(client_id);
    let client = client.ok_or_else(|| {
        Fault::new(ErrorCode::InvalidRequest, "the program that sent you is not known here (client_id)")
    })?;
    entry.note(|record| record.client_id = Some(client_id.to_owned()));
    client.must_use(TokenClientGrant::AuthorizationCode)?;
    let redirect_uri = query.required("redirect_uri")?;
    if !client.is_at(redirect_uri) {
        let why = "the program that sent you gave an address that it is not registered with (redirect_uri)";
        return Err(Fault::new(ErrorCode::InvalidRequest, why));
    }
    let back = Back { redirect_uri, state: query.get("state") };
    begin(api, client, query, back).await.map_err(|fault| back.tell(api, fault))
}

async fn begin(api: &Api<'_>, client: &Client, query: &Form, back: Back<'_>) -> Result<Answer, Fault> {
    let AuthorizationRequest { wish, challenge, prompt, login_hint } = AuthorizationRequest::read(query)?;
    let way = AskingWay::Code {
        redirect_uri: back.redirect_uri.to_owned(),
        state: back.state.map(str::to_owned),
        challenge: challenge.to_string(),
        silent: prompt.none,
        again: prompt.consent,
    };
    let asking = asking(api, client, &wish, way)?;
    let (address, cookie) = to_login(api, asking, prompt.provider.as_deref(), login_hint.as_deref()).await?;
    Ok(Answer::redirect(&address)?.with_cookie(cookie))
}

/// What a client asks for, as far as it can have it.
pub(crate) fn asking(api: &Api<'_>, client: &Client, wish: &Wish, way: AskingWay) -> Result<Asking, Fault> {
    let scopes = wish.scope.as_ref().map(|scopes| scopes.iter().map(scope).collect::<Result<Vec<_>, _>>());
    let scopes = scopes.transpose()?;
    if let Some(scopes) = &scopes {
        client.must_reach(scopes)?;
    }
    let clusters = clusters(api, &wish.targets)?;
    Ok(Asking {
        client_id: client.id().to_owned(),
        scopes: scopes.map(|scopes| scopes.iter().map(ToString::to_string).collect()),
        clusters: clusters.iter().map(|cluster| cluster.name().to_owned()).collect(),
        lifetime: wish.expires_in,
        way,
    })
}

/// Where the person logs in, and the cookie with which the browser comes back.
pub(crate) async fn to_login(
    api: &Api<'_>,
    asking: Asking,
    prompt: Option<&str>,
    login_hint: Option<&str>,
) -> Result<(String, http::HeaderValue), Fault> {
    let rules = &api.clients()?.login;
    let (flow, nonce) = (flow::random()?, flow::random()?);
    let verifier =
        CodeVerifier::generate().ok_or_else(|| Fault::internal("no randomness from the operating system"))?;
    let challenge = verifier.challenge();
    let request = LoginRequest {
        client_id: &rules.client_id,
        redirect_uri: &login::callback(api),
        scope: &rules.scope,
        state: &flow,
        nonce: &nonce,
        code_challenge: challenge.as_str(),
        prompt,
        login_hint,
    };
    let address = api.snapshot.providers().login_address(&rules.provider, &request).await;
    let address = address.map_err(|error| login::fault(&error))?;
    let step = AtLogin { asking, nonce, verifier: verifier.expose().to_owned() };
    let sealed = flow::seal(api.service.notes(), &flow, step, Timestamp::now())?;
    let cookie = browser::cookie(&browser::cookie_name(&flow), &sealed, SameSite::Lax)?;
    Ok((address.to_string(), cookie))
}
