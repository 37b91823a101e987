//! Redirect URIs of clients (RFC 6749 section 3.1.2): compared as they are written, never taken apart and put together again.

/// The hosts of a URI on the person's own machine.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// Whether a redirect URI is the registered one: the same characters (RFC 9700 section 2.1), but for the port of one on the person's
/// own machine, which a program gets from the system when it starts (RFC 8252 section 7.3).
pub fn is_registered_redirect(registered: &str, asked: &str) -> bool {
    if registered == asked {
        return true;
    }
    match (loopback(registered), loopback(asked)) {
        (Some((host, rest)), Some((asked_host, asked_rest))) => host == asked_host && rest == asked_rest,
        _ => false,
    }
}

/// Whether a redirect URI leads to the person's own machine, where any program can wait for a code.
pub fn is_loopback_redirect(uri: &str) -> bool {
    loopback(uri).is_some()
}

/// Host, and what comes after the port.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = LOOPBACK.into_iter().find(|host| rest.starts_with(host))?;
    let rest = &rest[host.len()..];
    let rest = match rest.strip_prefix(':') {
        Some(port) => {
            let end = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
            port[..end].parse::<u16>().ok().filter(|port| *port > 0)?;
            &port[end..]
        }
        None => rest,
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}

/// The redirect URI with these parameters in its query (RFC 6749 section 4.1.2).
pub fn with_parameters(redirect_uri: &str, parameters: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let joint = if redirect_uri.contains('?') { '&' } else { '?' };
    format!("{redirect_uri}{joint}{query}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn redirects_are_compared_as_they_are_written() {
        let web = "https://agent.example/cb";
        for (registered, asked, same) in [
            (web, "https://agent.example/cb", true),
            (web, "https://agent.example/cb/", false),
            (web, "https://agent.example/cb?x=1", false),
            (web, "https://agent.example:443/cb", false),
            (web, "https://Agent.example/cb", false),
            (web, "https://agent.example/%63b", false),
            (web, "https://agent.example.evil.example/cb", false),
            (web, "https://agent.example@evil.example/cb", false),
            (web, "http://agent.example/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", true),
            ("http://127.0.0.1:8000/cb", "http://127.0.0.1:51004/cb", true),
            ("http://127.0.0.1/cb", "http://127.0.0.1/cb", true),
            ("http://[::1]/cb", "http://[::1]:51004/cb", true),
            ("http://localhost/cb", "http://localhost:51004/cb", true),
            ("http://127.0.0.1/cb", "http://localhost:51004/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/other", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb?x", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false),
            ("http://127.0.0.1/cb", "https://127.0.0.1:51004/cb", false),
            ("https://127.0.0.1/cb", "https://127.0.0.1:51004/cb", false),
        ] {
            assert_eq!(is_registered_redirect(registered, asked), same, "{registered} {asked}");
        }
        assert!(is_loopback_redirect("http://localhost:1/") && !is_loopback_redirect(web));
    }

    #[test]
    fn parameters_go_into_the_query() {
        let parameters = [("code", "a b"), ("state", "x&y=#")];
        assert_eq!(
            with_parameters("https://a.example/cb", &parameters),
            "https://a.example/cb?code=a+b&state=x%26y%3D%23"
        );
        assert_eq!(
            with_parameters("https://a.example/cb?x=1", &parameters[..1]),
            "https://a.example/cb?x=1&code=a+b"
        );
    }

    proptest! {
        #[test]
        fn no_other_host_is_taken_for_the_registered_one(asked in "http://127\\.0\\.0\\.1[:@.a-z0-9/]{0,12}/cb") {
            if is_registered_redirect("http://127.0.0.1/cb", &asked) {
                let parsed: url::Url = asked.parse().unwrap();
                prop_assert_eq!((parsed.host_str(), parsed.path(), parsed.username()), (Some("127.0.0.1"), "/cb", ""));
            }
        }
    }
}
