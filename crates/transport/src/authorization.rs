//! Values of the `Authorization` header for HTTP Basic.

use data_encoding::BASE64;
use http::HeaderValue;
use url::form_urlencoded;

/// `Basic` credentials (RFC 7617), marked sensitive. Any text can be encoded, so there is no error.
pub fn basic_auth(user: &str, password: &str) -> HeaderValue {
    let encoded = BASE64.encode(format!("{user}:{password}").as_bytes());
    let mut value = HeaderValue::try_from(format!("Basic {encoded}"))
        .unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

/// The `client_secret_basic` method: id and secret are form-encoded first (RFC 6749 section 2.3.1).
pub fn client_secret_basic(client_id: &str, client_secret: &str) -> HeaderValue {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    basic_auth(&encode(client_id), &encode(client_secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7617_and_special_characters() {
        assert_eq!(basic_auth("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(client_secret_basic("a:b", "c d%"), basic_auth("a%3Ab", "c+d%25"));
        assert!(basic_auth("a", "b").is_sensitive());
    }
}
