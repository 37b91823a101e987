//! The proxy's token service: the calls, and what it answers.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use transport::HttpResponse;
use url::Url;

use crate::app::{App, Bearer, Chosen};
use crate::confidential_client::{ConfidentialClient, Proof};
use crate::error::{Error, Result, printable};
use crate::net::{Http, request};
use crate::secret::Secret;

/// The token service of one proxy.
pub(crate) struct TokenService {
    http: Http,
    base: Url,
}

/// Who makes a call.
#[derive(Debug)]
pub(crate) enum Caller<'a> {
    /// Whoever the token is of.
    Bearer(&'a Bearer),
    /// A client of the provider, whose secret goes into a header, and whose assertion is in the form.
    Client(&'a ConfidentialClient),
    /// Whoever the body speaks for.
    Nobody,
}

/// What secrets of tokens that the proxy issued begin with.
const MANAGED_PREFIX: &str = "osat_";

impl Caller<'_> {
    /// Whether the token shown is one that the proxy issued, as by `OPENSEARCH_AUTH_TOKEN`.
    fn shows_a_managed_token(&self) -> bool {
        matches!(self, Self::Bearer(bearer) if bearer.token.expose().starts_with(MANAGED_PREFIX))
    }

    /// Whether a client of the provider acts for itself.
    fn is_client(&self) -> bool {
        match self {
            Self::Bearer(bearer) => bearer.of_client,
            Self::Client(_) => true,
            Self::Nobody => false,
        }
    }
}

/// An issued token (RFC 6749 section 5.1), with what the proxy adds.
#[derive(Debug, Deserialize)]
pub(crate) struct Issued {
    pub(crate) access_token: Secret,
    pub(crate) expires_in: Option<u64>,
    #[serde(default)]
    pub(crate) scope: String,
    pub(crate) token_id: String,
    /// `pending` while it waits for approval.
    pub(crate) status: Option<String>,
}

/// The body of a refusal (RFC 6749 section 5.2).
#[derive(Debug, Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

impl TokenService {
    pub(crate) fn of(app: &App, chosen: &Chosen) -> Self {
        Self { http: app.to_proxy(&chosen.context), base: chosen.context.url.clone() }
    }

    /// The address of `path`, which is the same for every cluster behind the proxy.
    pub(crate) fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }

    /// The address of a path with an id in it.
    pub(crate) fn at_id(&self, before: &str, id: &str, after: &str) -> Result<Url> {
        // Whatever else stands there would be another path.
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(Error::usage(format!("`{}` is no id", printable(id)))
                .cure("an id begins with tok_, rev_ or con_; the lists show them"));
        }
        Ok(self.at(&format!("{before}{id}{after}")))
    }

    /// Posts a form, as to the token endpoint.
    pub(crate) async fn form(
        &self,
        path: &str,
        fields: &[(&str, String)],
        caller: Caller<'_>,
    ) -> Result<HttpResponse> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = request(Method::POST, &self.at(path), Bytes::from(body))?;
        self.send(request, "application/x-www-form-urlencoded", caller).await
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, url: &Url, body: &Value, bearer: &Bearer) -> Result<HttpResponse> {
        let request = request(Method::POST, url, Bytes::from(body.to_string()))?;
        self.send(request, "application/json", Caller::Bearer(bearer)).await
    }

    /// Sends JSON that replaces a version, if that is still the one that counts (RFC 9110 section 13.1.1).
    pub(crate) async fn replace(
        &self,
        method: Method,
        url: &Url,
        body: &Value,
        version: u32,
        bearer: &Bearer,
    ) -> Result<HttpResponse> {
        let mut request = request(method, url, Bytes::from(body.to_string()))?;
        let tag = HeaderValue::from_str(&format!("\"{version}\""));
        let tag = tag.map_err(|_| Error::usage("the version cannot be put into a header"))?;
        request.headers_mut().insert(header::IF_MATCH, tag);
        self.send(request, "application/json", Caller::Bearer(bearer)).await
    }

    /// Gets JSON from a path with a query.
    pub(crate) async fn get(
        &self,
        path: &str,
        query: &[(&str, String)],
        bearer: &Bearer,
    ) -> Result<HttpResponse> {
        let mut url = self.at(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.get_at(&url, bearer).await
    }

    /// Gets JSON from an address.
    pub(crate) async fn get_at(&self, url: &Url, bearer: &Bearer) -> Result<HttpResponse> {
        self.send(request(Method::GET, url, Bytes::new())?, "", Caller::Bearer(bearer)).await
    }

    /// Deletes.
    pub(crate) async fn delete(&self, mut url: Url, reason: Option<&str>, bearer: &Bearer) -> Result<()> {
        if let Some(reason) = reason {
            url.query_pairs_mut().append_pair("reason", reason);
        }
        let request = request(Method::DELETE, &url, Bytes::new())?;
        self.send(request, "", Caller::Bearer(bearer)).await.map(|_| ())
    }

    /// Posts JSON to a path.
    pub(crate) async fn post_to(&self, path: &str, body: &Value, bearer: &Bearer) -> Result<HttpResponse> {
        self.post(&self.at(path), body, bearer).await
    }

    async fn send(
        &self,
        mut request: Request<Bytes>,
        kind: &'static str,
        caller: Caller<'_>,
    ) -> Result<HttpResponse> {
        let headers = request.headers_mut();
        if !kind.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let authorization = match &caller {
            Caller::Bearer(bearer) => {
                let value = HeaderValue::from_str(&format!("Bearer {}", bearer.token.expose()));
                Some(value.map_err(|_| Error::usage("the token cannot be put into a header"))?)
            }
            Caller::Client(ConfidentialClient { id, proof: Proof::Secret(secret) }) => {
                Some(transport::client_secret_basic(id, secret.expose()))
            }
            Caller::Client(ConfidentialClient { proof: Proof::Key(_), .. }) | Caller::Nobody => None,
        };
        if let Some(mut value) = authorization {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let response = self.http.send(request).await?;
        if response.status.is_success() { Ok(response) } else { Err(self.refusal(&response, &caller)) }
    }

    fn refusal(&self, response: &HttpResponse, caller: &Caller<'_>) -> Error {
        let status = response.status.as_u16();
        let Ok(refusal) = response.json::<Refusal>() else {
            return match status {
                // Its refusals of other requests have another form.
                401 | 403 | 404 => Error::refused(format!("{} issues no tokens of its own", self.base))
                    .cure("its configuration needs the section `tokens`"),
                _ => Error::outside(format!("{} is answered with status {status}", response.url())),
            };
        };
        let mut what = format!("the proxy refused: {}", printable(&refusal.error));
        if let Some(description) = &refusal.error_description {
            what.push_str(": ");
            what.push_str(&printable(description));
        }
        match (refusal.error.as_str(), status) {
            ("invalid_token", _) if caller.is_client() => Error::refused(what).cure(
                "at the provider, the client needs one of the proxy's audiences in its tokens",
            ),
            ("invalid_token", _) if matches!(caller, Caller::Bearer(_)) => Error::login_needed(what),
            ("invalid_client", _) => Error::refused(what).cure(match caller {
                Caller::Client(ConfidentialClient { proof: Proof::Key(_), .. }) => {
                    "check --client-id, and whether the provider has the public half of --client-key and lets the client sign with it"
                }
                _ => "check --client-id and the secret",
            }),
            ("unauthorized_client", _) if matches!(caller, Caller::Client(_)) => {
                Error::refused(what).cure(
                    "at the provider, the client needs the grant client_credentials, and one of the proxy's audiences in its tokens",
                )
            }
            ("invalid_scope", _) if matches!(caller, Caller::Client(_)) => Error::refused(what)
                .cure("ask for scopes that the client holds: at the provider, or by the proxy's `mappings`"),
            ("invalid_scope", _) => Error::refused(what)
                .cure("ask for scopes that you hold; `opensearch-auth status` shows those"),
            ("insufficient_scope", _) if caller.shows_a_managed_token() => Error::refused(what)
                .cure("a token of the proxy's own sees and ends itself only: use your login, or a token of the provider"),
            ("insufficient_scope", _) => match needed_scope(response) {
                Some(scope) if caller.is_client() => {
                    Error::refused(what).cure(format!("at the proxy or the provider, give the client the scope {scope}"))
                }
                Some(scope) => {
                    Error::refused(what).cure(format!("log in with that scope: --scopes '… {scope}'"))
                }
                None => Error::refused(what),
            },
            (_, 500..) => Error::outside(what).cure("try again later; the proxy's log says more"),
            _ => Error::refused(what),
        }
    }
}

/// The body of an answer.
pub(crate) fn body<T: DeserializeOwned>(response: &HttpResponse) -> Result<T> {
    Ok(response.json()?)
}

/// The scope that a challenge names (RFC 6750 section 3).
fn needed_scope(response: &HttpResponse) -> Option<String> {
    let challenge = response.headers.get(header::WWW_AUTHENTICATE)?.to_str().ok()?;
    let (_, scope) = challenge.split_once("scope=\"")?;
    let (scope, _) = scope.split_once('"')?;
    Some(printable(scope))
}
