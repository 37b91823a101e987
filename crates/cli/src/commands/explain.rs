//! `explain`: why a request was refused, from the proxy that decided, or from the audit trail.

mod audit;
mod story;

use bytes::Bytes;
use explain::Explanation;
use http::{HeaderValue, Method, StatusCode, header};

use crate::app::App;
use crate::cli::Explain;
use crate::error::{Error, Result};
use crate::net::request;

/// How often several proxies behind one address are asked, until the one that decided is met.
const ATTEMPTS: usize = 8;

pub(super) async fn run(app: &App, arguments: &Explain) -> Result<()> {
    let id = arguments.decision_id.to_ascii_lowercase();
    let is_uuid = id.len() == 36 && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    if !is_uuid {
        return Err(Error::usage(format!("`{}` is no decision id", crate::error::printable(&id))).cure(
            "a refusal has it in its body as `decision_id`, and in the header X-Decision-Id, as in 0193f0e2-8c1b-7d6e-9a55-3f1f0d1c2b3a",
        ));
    }
    let explanation = if arguments.audit.is_empty() {
        of_proxy(app, &id).await?
    } else {
        audit::find(&id, &arguments.audit)?
    };
    app.ui.result(&explanation, &story::tell(&explanation))
}

async fn of_proxy(app: &App, id: &str) -> Result<Explanation> {
    let chosen = app.chosen()?;
    let bearer = app.bearer(&chosen).await?;
    let http = app.to_proxy(&chosen.context);
    let mut url = chosen.context.url.clone();
    url.set_path(&format!("/oauth/decisions/{id}"));
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", bearer.token.expose()))
        .map_err(|_| Error::usage("the token cannot be put into a header"))?;
    authorization.set_sensitive(true);
    for _ in 0..ATTEMPTS {
        let mut request = request(Method::GET, &url, Bytes::new())?;
        request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
        let response = http.send(request).await?;
        match response.status {
            StatusCode::OK => return Ok(response.json()?),
            StatusCode::MISDIRECTED_REQUEST => {}
            StatusCode::UNAUTHORIZED => {
                return Err(Error::login_needed("the proxy does not accept the token"));
            }
            StatusCode::NOT_FOUND if response.json::<OAuthError>().is_ok() => {
                return Err(Error::refused("there is no decision with this id that you may see").cure(
                    "it may be too old to be kept, or not be yours: with the scope monitor:decisions one sees everybody's, and with \
                     --audit FILE what the audit trail holds",
                ));
            }
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => {
                return Err(Error::refused(format!("{} keeps no decisions to be explained", chosen.context.url))
                    .cure("its configuration needs the section `decisions`; --audit FILE looks into the audit trail"));
            }
            status => {
                return Err(Error::outside(format!("{} is answered with status {status}", response.url())));
            }
        }
    }
    Err(Error::refused("the decision was made by another proxy, or by this one before it was started anew")
        .cure(
            "where several are behind one address, try again; else --audit FILE looks into the audit trail",
        ))
}

/// What tells an answer of the proxy's own from one of the cluster.
#[derive(Debug, serde::Deserialize)]
struct OAuthError {
    #[serde(rename = "error")]
    _error: String,
}
