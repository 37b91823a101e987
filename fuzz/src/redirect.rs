//! What compares redirect URIs, over any bytes. Panics when a promise is broken.

use oauth::{is_registered_redirect, with_parameters};
use url::Url;

/// A redirect URI as it is registered, a line feed, and one that is asked for.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((registered, asked)) = text.split_once('\n') else { return };
    if !is_registered_redirect(registered, asked) {
        assert_ne!(registered, asked, "a registered URI is refused");
        return;
    }
    // What a browser makes of both differs in the port of this machine at most.
    if registered != asked {
        let (Ok(registered), Ok(mut reached)) = (Url::parse(registered), Url::parse(asked)) else {
            // Nobody is sent to what no browser can read.
            return;
        };
        assert!(matches!(reached.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")), "{asked}");
        assert!(reached.username().is_empty() && reached.password().is_none(), "{asked}");
        assert!(reached.set_port(registered.port()).is_ok() && reached == registered, "{asked}");
    }
    let sent = with_parameters(asked, &[("code", "a b&c"), ("state", "d=e#")]);
    assert!(sent.starts_with(asked), "another URI is sent");
    if let (Ok(before), Ok(after)) = (Url::parse(asked), Url::parse(&sent)) {
        let place = |url: &Url| {
            let host = url.host_str().map(str::to_owned);
            (url.scheme().to_owned(), url.username().to_owned(), host, url.port())
        };
        assert_eq!(place(&before), place(&after), "{sent} leads elsewhere");
    }
}
