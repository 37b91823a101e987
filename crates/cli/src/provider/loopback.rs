//! Where the browser comes back to: a listener on the loopback interface (RFC 8252 section 7.3).

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::error::{Error, Result, printable};

const PATH: &str = "/callback";

/// A listener on a free port of 127.0.0.1.
#[derive(Debug)]
pub(super) struct Loopback {
    listener: TcpListener,
    redirect: String,
}

/// What the authorization response must hold.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) state: String,
    pub(super) issuer: String,
    /// Whether the response must name its issuer (RFC 9207 section 2.4).
    pub(super) issuer_required: bool,
}

/// What a request to the listener means.
#[derive(Debug)]
enum Reading {
    /// It is not the authorization response: a favicon, or a guess of some web page.
    Other(StatusCode),
    /// It is.
    Answer(Result<String>),
}

impl Loopback {
    pub(super) async fn bind() -> Result<Self> {
        let failed = |error| {
            Error::outside(format!("no port of 127.0.0.1 can be listened on: {error}")).cure("add --device")
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, redirect: format!("http://127.0.0.1:{port}{PATH}") })
    }

    /// The redirect URI.
    pub(super) fn redirect(&self) -> &str {
        &self.redirect
    }

    /// Serves until the authorization response arrives: its code. Browsers open connections that they do not use, so
    /// each has a task of its own.
    pub(super) async fn code(self, expected: Expected) -> Result<String> {
        let expected = Arc::new(expected);
        let (outcome, mut outcomes) = mpsc::channel(1);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (stream, _) = accepted
                        .map_err(|error| Error::outside(format!("the browser cannot be answered: {error}")))?;
                    tokio::spawn(serve(stream, Arc::clone(&expected), outcome.clone()));
                }
                Some(answer) = outcomes.recv() => return answer,
            }
        }
    }
}

async fn serve(stream: TcpStream, expected: Arc<Expected>, outcome: mpsc::Sender<Result<String>>) {
    let answer = Mutex::new(None);
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let reading = read(request.method(), request.uri(), &expected);
        let response = page(&reading);
        if let Reading::Answer(result) = reading {
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }
        async { Ok::<_, Infallible>(response) }
    });
    // A connection that breaks brought no answer, or its page is of no use any more.
    let _ = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
    // Only now: the program must not end before the page is sent.
    if let Some(result) = answer.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let _ = outcome.send(result).await;
    }
}

fn read(method: &Method, uri: &http::Uri, expected: &Expected) -> Reading {
    if uri.path() != PATH {
        return Reading::Other(StatusCode::NOT_FOUND);
    }
    if method != Method::GET {
        return Reading::Other(StatusCode::METHOD_NOT_ALLOWED);
    }
    let mut parameters = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        // RFC 6749 section 3.1: none more than once.
        if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
            return Reading::Other(StatusCode::BAD_REQUEST);
        }
    }
    let parameter = |name: &str| parameters.get(name).map(String::as_str);
    if parameter("state") != Some(expected.state.as_str()) {
        return Reading::Other(StatusCode::BAD_REQUEST);
    }
    Reading::Answer(match parameter("iss") {
        Some(issuer) if issuer != expected.issuer => {
            Err(Error::refused(format!("the answer came from another issuer, {}", printable(issuer)))
                .cure("log in again, and to that provider only"))
        }
        None if expected.issuer_required => Err(Error::refused(
            "the answer does not name its issuer, as this provider's answers do (RFC 9207)",
        )
        .cure("log in again")),
        _ => answer(parameter("error"), parameter("error_description"), parameter("code")),
    })
}

fn answer(error: Option<&str>, description: Option<&str>, code: Option<&str>) -> Result<String> {
    let Some(error) = error else {
        return code
            .map(str::to_owned)
            .ok_or_else(|| Error::outside("the provider's answer holds neither a code nor an error"));
    };
    let mut what = format!("the provider refused: {}", printable(error));
    if let Some(description) = description {
        what.push_str(": ");
        what.push_str(&printable(description));
    }
    let refused = Error::refused(what);
    Err(match error {
        "invalid_scope" => {
            refused.cure("ask for other scopes with --scopes, or have them allowed for this client")
        }
        "access_denied" => refused.cure("the login or the consent was declined"),
        _ => refused,
    })
}

fn page(reading: &Reading) -> Response<Full<Bytes>> {
    let (status, words) = match reading {
        Reading::Other(status) => (*status, "There is nothing here."),
        Reading::Answer(Ok(_)) => (StatusCode::OK, "You can close this window and go back to the terminal."),
        Reading::Answer(Err(_)) => (
            StatusCode::BAD_REQUEST,
            "The login did not succeed. The terminal says why; you can close this window.",
        ),
    };
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>opensearch-auth</title>\
         <style>body{{font:1.1rem sans-serif;margin:4rem}}</style><h1>opensearch-auth</h1><p>{words}</p></html>\n"
    );
    let mut response = Response::new(Full::from(html));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(target: &str, issuer_required: bool) -> String {
        let expected = Expected {
            state: "right".to_owned(),
            issuer: "https://login.example".to_owned(),
            issuer_required,
        };
        match read(&Method::GET, &target.parse().unwrap(), &expected) {
            Reading::Other(status) => status.as_str().to_owned(),
            Reading::Answer(Ok(code)) => format!("code {code}"),
            Reading::Answer(Err(error)) => error.to_string(),
        }
    }

    #[test]
    fn only_the_answer_to_this_login_counts() {
        for (target, expected) in [
            ("/callback?code=abc&state=right", "code abc"),
            ("/callback?code=abc&state=right&iss=https%3A%2F%2Flogin.example", "code abc"),
            ("/callback?code=abc&state=wrong", "400"),
            ("/callback?code=abc", "400"),
            ("/callback?code=abc&code=def&state=right", "400"),
            ("/callback?error=access_denied&state=wrong", "400"),
            ("/favicon.ico", "404"),
            ("/callback/?code=abc&state=right", "404"),
            (
                "/callback?code=abc&state=right&iss=https%3A%2F%2Fother.example",
                "the answer came from another issuer, https://other.example",
            ),
            ("/callback?error=access_denied&state=right", "the provider refused: access_denied"),
            (
                "/callback?error=invalid_scope&error_description=no%0Asuch%1B&state=right",
                "the provider refused: invalid_scope: no such ",
            ),
            ("/callback?state=right", "the provider's answer holds neither a code nor an error"),
        ] {
            assert_eq!(judged(target, false), expected, "{target}");
        }
    }

    #[test]
    fn a_provider_that_names_its_issuer_always_does() {
        assert_eq!(
            judged("/callback?code=abc&state=right&iss=https%3A%2F%2Flogin.example", true),
            "code abc"
        );
        assert!(judged("/callback?code=abc&state=right", true).contains("does not name its issuer"));
    }
}
