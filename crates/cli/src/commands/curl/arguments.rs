//! What the arguments for curl mean, as far as it matters where the token goes.
//!
//! curl sends a header with every address that it is given, so it must be given no other than the context's. For that one has to
//! know which arguments are addresses: those that no option before them takes as its value.

use std::ffi::OsString;

use url::Url;

use crate::error::{Error, Result};
use crate::store::Context;

/// Short options that take a value.
const SHORT_WITH_VALUE: &str = "AbcCdDeEFHKmoPQrtTuUwxXyYz";

/// Long options that take none. Whatever is neither here nor begins with `--no-` is taken to have one.
const LONG_WITHOUT_VALUE: &str = "\
    anyauth append basic ca-native cert-status compressed compressed-ssh create-dirs crlf digest disable \
    disable-eprt disable-epsv disallow-username-in-url doh-cert-status doh-insecure fail fail-early \
    fail-with-body false-start follow form-escape ftp-create-dirs ftp-pasv ftp-pret ftp-skip-pasv-ip \
    ftp-ssl-ccc ftp-ssl-control get globoff haproxy-protocol head http0.9 http1.0 http1.1 http2 \
    http2-prior-knowledge http3 http3-only ignore-content-length include insecure ipv4 ipv6 \
    junk-session-cookies list-only location mail-rcpt-allowfails manual metalink mptcp negotiate netrc \
    netrc-optional next ntlm ntlm-wb out-null parallel parallel-immediate path-as-is post301 post302 \
    post303 progress-bar proxy-anyauth proxy-basic proxy-ca-native proxy-digest proxy-http2 \
    proxy-insecure proxy-negotiate proxy-ntlm proxy-ssl-allow-beast proxy-ssl-auto-client-cert \
    proxy-tlsv1 proxytunnel raw remote-header-name remote-name remote-name-all remote-time \
    remove-on-error retry-all-errors retry-connrefused sasl-ir show-error show-headers silent \
    skip-existing socks5-basic socks5-gssapi socks5-gssapi-nec ssl ssl-allow-beast ssl-auto-client-cert \
    ssl-no-revoke ssl-reqd ssl-revoke-best-effort sslv2 sslv3 styled-output suppress-connect-headers \
    tcp-fastopen tcp-nodelay tftp-no-options tls-earlydata tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 \
    tr-encoding trace-ids trace-time use-ascii verbose version xattr";

/// What comes next.
#[derive(Clone, Copy)]
enum Next {
    /// An option or an address.
    Any,
    /// The value of the option before, which is no address.
    Value,
    Address,
}

/// Refuses arguments that would send the token to another server than the context's.
pub(super) fn check(context: &Context, arguments: &[OsString]) -> Result<()> {
    let mut next = Next::Any;
    let mut only_addresses = false;
    for argument in arguments {
        // What is not UTF-8 is no address of the context's server.
        let text = argument.to_str().unwrap_or("\u{fffd}");
        let is_option = !only_addresses && text.len() > 1 && text.starts_with('-');
        next = match next {
            Next::Value => Next::Any,
            Next::Any if is_option => {
                only_addresses = text == "--";
                after(text)?
            }
            Next::Address | Next::Any if is_at(context, text) => Next::Any,
            Next::Address | Next::Any => {
                return Err(Error::usage(
                    "an argument is another address, and the token is for this context's server only",
                )
                .cure("use curl itself for other servers; values of options come right after them"));
            }
        };
    }
    Ok(())
}

/// What comes after an option, by its name. Long ones can be cut short, as long as they are clear.
fn after(option: &str) -> Result<Next> {
    let Some(long) = option.strip_prefix("--") else {
        return after_short(option);
    };
    let begins = |name: &str| !long.is_empty() && name.starts_with(long);
    if begins("config") || long.starts_with("location-") || long.starts_with("expand-") {
        return Err(anywhere(option));
    }
    if begins("url") {
        return Ok(Next::Address);
    }
    let mut flags = LONG_WITHOUT_VALUE.split_whitespace();
    let is_flag = long.is_empty() || long.starts_with("no-") || flags.any(|name| name == long);
    Ok(if is_flag { Next::Any } else { Next::Value })
}

/// Several short options can stand together; the value of the last one may follow at once.
fn after_short(option: &str) -> Result<Next> {
    let letters = &option[1..];
    for (at, letter) in letters.char_indices() {
        if letter == 'K' {
            return Err(anywhere("-K"));
        }
        if SHORT_WITH_VALUE.contains(letter) {
            let rest = &letters[at + letter.len_utf8()..];
            return Ok(if rest.is_empty() { Next::Value } else { Next::Any });
        }
    }
    Ok(Next::Any)
}

fn anywhere(option: &str) -> Error {
    Error::usage(format!("{option} could send the token to other servers"))
        .cure("leave it out, or use curl itself with `opensearch-auth token`")
}

/// Whether an address is one of the context's server.
pub(super) fn is_at(context: &Context, address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| {
        url.origin() == context.url.origin() && url.username().is_empty() && url.password().is_none()
    })
}

/// Whether there is a body whose type was not said. curl would call it a form.
pub(super) fn sends_json(arguments: &[OsString]) -> bool {
    let texts = || arguments.iter().filter_map(|argument| argument.to_str());
    let body = |text: &str| {
        text.starts_with("-d")
            || text.starts_with("--data") && !text.starts_with("--data-urlencode")
            || text == "-T"
    };
    let says_type = |text: &str| {
        let value = text.strip_prefix("-H").unwrap_or(text).trim_start();
        value.get(..13).is_some_and(|name| name.eq_ignore_ascii_case("content-type:"))
    };
    texts().any(body) && !texts().any(says_type)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn list(arguments: &[&str]) -> Vec<OsString> {
        arguments.iter().map(OsString::from).collect()
    }

    #[test]
    fn no_other_server_is_given_the_token() {
        let context =
            Context { url: "https://s.example".parse().unwrap(), ca: None, providers: BTreeMap::new() };
        for (arguments, expected) in [
            (&["-s", "-d", "{}"][..], true),
            (&["-sSd", "{}"], true),
            (&["-sSd{}", "--fail-with-body"], true),
            (&["-XPOST", "--max-time", "5", "-o", "out"], true),
            (&["-T", "-", "--no-buffer"], true),
            (&["https://s.example/other"], true),
            (&["https://evil.example/"], false),
            (&["HTTPS://evil.example/"], false),
            (&["evil.example"], false),
            (&["-s", "evil.example"], false),
            (&["-sS", "evil.example"], false),
            (&["-d", "{}", "evil.example"], false),
            (&["-d{}", "evil.example"], false),
            (&["--silent", "evil.example"], false),
            (&["--no-buffer", "evil.example"], false),
            (&["--", "evil.example"], false),
            (&["--", "-s.example"], false),
            (&["-"], false),
            (&["--url", "https://evil.example/"], false),
            (&["--url", "evil.example"], false),
            (&["--ur", "evil.example"], false),
            (&["--url", "https://s.example/x"], true),
            (&["-x", "http://proxy.example:3128"], true),
            (&["--proxy", "http://proxy.example:3128"], true),
            (&["--data", "https://evil.example/"], true),
            (&["-H", "Referer: https://evil.example/"], true),
            (&["-L"], true),
            (&["--location-trusted"], false),
            (&["--location-tr"], false),
            (&["-K", "file"], false),
            (&["-sK", "file"], false),
            (&["--config", "file"], false),
            (&["--conf", "file"], false),
            (&["--expand-url", "{{evil}}"], false),
        ] {
            assert_eq!(check(&context, &list(arguments)).is_ok(), expected, "{arguments:?}");
        }
    }

    #[test]
    fn a_body_is_json_unless_said_otherwise() {
        for (arguments, expected) in [
            (&["-d", "{}"][..], true),
            (&["-d{}"], true),
            (&["--data-binary", "@file"], true),
            (&["-d", "{}", "-H", "content-type: application/x-ndjson"], false),
            (&["-d", "{}", "-HContent-Type:application/cbor"], false),
            (&["-d", "{}", "--header", "Content-Type: text/plain"], false),
            (&["--json", "{}"], false),
            (&["-s"], false),
            (&[], false),
        ] {
            assert_eq!(sends_json(&list(arguments)), expected, "{arguments:?}");
        }
    }
}
