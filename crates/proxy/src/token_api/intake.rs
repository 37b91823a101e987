//! Bodies and queries of the token service.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use oauth::{ErrorCode, Form, MAX_FORM};
use serde::de::DeserializeOwned;

use super::answer::Fault;

/// The body of a request, not yet read.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) incoming: Incoming,
    /// The media type, without parameters; empty if there is none.
    media_type: String,
    /// Longest time for the whole body: these are small.
    patience: Duration,
}

impl Body {
    pub(crate) fn new(headers: &HeaderMap, incoming: Incoming, patience: Duration) -> Result<Self, Fault> {
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        let (first, second) = (types.next(), types.next());
        if second.is_some() || headers.contains_key(header::CONTENT_ENCODING) {
            return Err(refuse("one Content-Type and no Content-Encoding is read here"));
        }
        let media_type = first.map_or(Some(""), |value| value.to_str().ok());
        let media_type = media_type.ok_or_else(|| refuse("the Content-Type is not one"))?;
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Ok(Self { incoming, media_type, patience })
    }

    /// Reads a form.
    pub(crate) async fn form(self) -> Result<Form, Fault> {
        if self.media_type != "application/x-www-form-urlencoded" {
            return Err(refuse("send the parameters as application/x-www-form-urlencoded"));
        }
        let form = Form::parse(&self.read(MAX_FORM).await?)?;
        no_token_in(&form)?;
        Ok(form)
    }

    /// Reads a JSON object; without a body, an empty one.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<T, Fault> {
        self.json_within(MAX_FORM).await
    }

    /// The same of a body that can be longer, in bytes.
    pub(crate) async fn json_within<T: DeserializeOwned>(self, longest: usize) -> Result<T, Fault> {
        let media_type = self.media_type.clone();
        let bytes = self.read(longest).await?;
        if bytes.is_empty() {
            return parse(b"{}");
        }
        if media_type != "application/json" {
            return Err(refuse("send the body as application/json"));
        }
        parse(&bytes)
    }

    async fn read(self, longest: usize) -> Result<Bytes, Fault> {
        let read = Limited::new(self.incoming, longest).collect();
        match tokio::time::timeout(self.patience, read).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                Err(refuse(&format!("the body is longer than {longest} bytes")))
            }
            Ok(Err(_)) => Err(refuse("the body broke off")),
            Err(_) => Err(refuse("the body did not arrive in time")),
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    // Unknown and repeated members are refused by the types themselves.
    serde_json::from_slice(bytes).map_err(|error| refuse(&format!("the body is not as expected: {error}")))
}

/// The parameters of a query, read as strictly as a form.
pub(crate) fn query(query: Option<&str>) -> Result<Form, Fault> {
    let form = Form::parse(query.unwrap_or_default().as_bytes())?;
    no_token_in(&form)?;
    Ok(form)
}

/// RFC 6750 sections 2.2 and 2.3 describe tokens in forms and queries; none is read there.
fn no_token_in(form: &Form) -> Result<(), Fault> {
    match form.get("access_token") {
        Some(_) => Err(refuse("send the token in the Authorization header")),
        None => Ok(()),
    }
}

fn refuse(why: &str) -> Fault {
    Fault::new(ErrorCode::InvalidRequest, why)
}
