//! What browsers bring and are given: cookies, and where they are sent.

use http::{HeaderMap, HeaderValue, header};
use oauth::ErrorCode;

use super::answer::Fault;
use crate::headers::text_value;

/// How long a person has for each step, in seconds.
pub(crate) const PATIENCE: u64 = 600;

/// Longer cookies are not kept by browsers.
const MAX_COOKIE: usize = 4000;

/// Which other sites may cause a cookie to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SameSite {
    /// Those that send the browser here.
    Lax,
    /// None.
    Strict,
}

/// The cookie of one flow, so that a browser can have several at once. The prefix keeps other hosts and plain http from setting it
/// (RFC 6265bis section 4.1.3).
pub(crate) fn cookie_name(flow: &str) -> String {
    format!("__Host-oauth-{flow}")
}

/// A cookie that scripts do not see and that is sent by https only; 400 if it is too long.
pub(crate) fn cookie(name: &str, value: &str, same_site: SameSite) -> Result<HeaderValue, Fault> {
    let same_site = match same_site {
        SameSite::Lax => "Lax",
        SameSite::Strict => "Strict",
    };
    if name.len() + value.len() > MAX_COOKIE {
        return Err(Fault::new(ErrorCode::InvalidRequest, "the parameters of the request are too long"));
    }
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}; Max-Age={PATIENCE}");
    let mut cookie = text_value(&text);
    cookie.set_sensitive(true);
    Ok(cookie)
}

/// What takes a cookie away.
pub(crate) fn no_cookie(name: &str) -> HeaderValue {
    text_value(&format!("{name}=; Path=/; Secure; HttpOnly; Max-Age=0"))
}

/// The value of a cookie; `None` if it is not there, or more than once.
pub(crate) fn read_cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut values = pairs
        .flat_map(|pairs| pairs.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(known, value)| (known == name).then_some(value));
    let value = values.next();
    values.next().is_none().then_some(value).flatten()
}

/// Refuses a form that another site had the browser send.
pub(crate) fn of_own_page(headers: &HeaderMap) -> Result<(), Fault> {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin") => Ok(()),
        Some(_) => Err(Fault::new(ErrorCode::InvalidRequest, "the form was sent from another site")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_counts_once() {
        for (sent, found) in [
            (vec!["a=1; __Host-oauth-f=x; b=2"], Some("x")),
            (vec!["a=1", "__Host-oauth-f=x"], Some("x")),
            (vec!["__Host-oauth-f=x; __Host-oauth-f=y"], None),
            (vec!["__Host-oauth-f=x", "__Host-oauth-f=x"], None),
            (vec!["__Host-oauth-g=x"], None),
            (vec![], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in &sent {
                headers.append(header::COOKIE, HeaderValue::from_static(value));
            }
            assert_eq!(read_cookie(&headers, &cookie_name("f")), found, "{sent:?}");
        }
        assert!(cookie("n", &"x".repeat(4000), SameSite::Lax).is_err());
    }
}
