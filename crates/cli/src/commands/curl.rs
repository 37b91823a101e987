//! `curl`.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use url::Url;

use crate::app::{App, join};
use crate::cli;
use crate::error::{Error, Result};
use crate::store::Context;

/// Options whose value is an address that curl does not send the request to.
const TAKES_ADDRESS: [&str; 14] = [
    "-x",
    "--proxy",
    "--preproxy",
    "--socks5",
    "-e",
    "--referer",
    "-H",
    "--header",
    "-d",
    "--data",
    "--data-raw",
    "--data-ascii",
    "--data-urlencode",
    "--json",
];

pub(super) async fn run(app: &App, arguments: &cli::Curl) -> Result<()> {
    let chosen = app.chosen()?;
    let address = address(&chosen.context, &arguments.target)?;
    check(&chosen.context, &arguments.arguments)?;
    let bearer = app.bearer(&chosen).await?;
    let mut config = String::new();
    // Written for curl's own reader: in quotes, with what ends them escaped.
    let mut line = |name: &str, value: &str| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(config, "{name} = \"{value}\"");
    };
    line("url", &address);
    line("header", &format!("Authorization: Bearer {}", bearer.token.expose()));
    if sends_json(&arguments.arguments) {
        line("header", "Content-Type: application/json");
    }
    if let Some(ca) = &chosen.context.ca {
        let shown = ca.to_str().ok_or_else(|| Error::usage("the path of the CA file is not UTF-8"))?;
        line("cacert", shown);
    }
    // Brackets and braces stand for themselves in a path of OpenSearch.
    config.push_str("globoff\n");
    exec(&config, &arguments.arguments)
}

/// Replaces this program by curl, which reads `config` from a pipe: arguments and environment can be seen by others.
fn exec(config: &str, arguments: &[OsString]) -> Result<()> {
    let failed = |error: std::io::Error| Error::outside(format!("curl cannot be given the token: {error}"));
    let (reader, mut writer) = std::io::pipe().map_err(failed)?;
    // It fits into the pipe's buffer, or the write would wait for a reader that is never there.
    if config.len() > 16 * 1024 {
        return Err(Error::usage("address and token are longer than 16 KiB together"));
    }
    writer.write_all(config.as_bytes()).map_err(failed)?;
    drop(writer);
    rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::empty()).map_err(|error| failed(error.into()))?;
    let mut curl = Command::new("curl");
    curl.arg("--config").arg(format!("/dev/fd/{}", reader.as_raw_fd())).args(arguments);
    // Returns only if it fails.
    let error = curl.exec();
    Err(Error::outside(format!("curl cannot be started: {error}"))
        .cure("install curl, or use `opensearch-auth token`"))
}

fn address(context: &Context, target: &str) -> Result<String> {
    if target.starts_with('/') {
        return Ok(join(&context.url, target));
    }
    if is_at(context, target) {
        return Ok(target.to_owned());
    }
    Err(Error::usage("the first argument is neither a path nor an address of this context")
        .cure(format!("give a path as in /_cluster/health, or an address that begins with {}", context.url)))
}

/// Whether an address is one of the context's server.
fn is_at(context: &Context, address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| {
        url.origin() == context.url.origin() && url.username().is_empty() && url.password().is_none()
    })
}

/// The header goes with every address that curl is given, so it is given no other.
fn check(context: &Context, arguments: &[OsString]) -> Result<()> {
    let mut before: &OsStr = OsStr::new("");
    for argument in arguments {
        let text = argument.to_str().unwrap_or_default();
        let lower = text.to_ascii_lowercase();
        let option = before.to_str().unwrap_or_default();
        let is_address = lower.starts_with("http://") || lower.starts_with("https://");
        let named = text.strip_prefix("--url=").or((option == "--url").then_some(text));
        let elsewhere = match named {
            Some(address) => !is_at(context, address),
            None => is_address && !TAKES_ADDRESS.contains(&option) && !is_at(context, text),
        };
        if elsewhere {
            return Err(Error::usage(
                "an argument names another server, and the token is for this context's only",
            )
            .cure("use curl itself for other servers"));
        }
        before = argument;
    }
    Ok(())
}

/// Whether there is a body whose type was not said. curl would call it a form.
fn sends_json(arguments: &[OsString]) -> bool {
    let texts = || arguments.iter().filter_map(|argument| argument.to_str());
    let body = |text: &str| {
        text.starts_with("-d")
            || text.starts_with("--data") && !text.starts_with("--data-urlencode")
            || text == "-T"
    };
    let says_type = |text: &str| {
        let value = text.strip_prefix("-H").or(text.strip_prefix("--header=")).unwrap_or(text).trim_start();
        value.get(..13).is_some_and(|name| name.eq_ignore_ascii_case("content-type:"))
    };
    texts().any(body) && !texts().any(says_type)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn context(url: &str) -> Context {
        Context { url: url.parse().unwrap(), ca: None, providers: BTreeMap::new() }
    }

    fn list(arguments: &[&str]) -> Vec<OsString> {
        arguments.iter().map(OsString::from).collect()
    }

    #[test]
    fn where_a_request_goes() {
        for (base, target, expected) in [
            ("https://s.example:8443", "/logs-*/_search", Some("https://s.example:8443/logs-*/_search")),
            ("https://s.example/prod/", "/_search", Some("https://s.example/prod/_search")),
            ("https://s.example", "https://s.example/_search", Some("https://s.example/_search")),
            ("https://s.example", "https://s.example:443/_search", Some("https://s.example:443/_search")),
            ("https://s.example", "http://s.example/_search", None),
            ("https://s.example", "https://s.example.evil.example/", None),
            ("https://s.example", "https://s.example@evil.example/", None),
            ("https://s.example", "https://user@s.example/", None),
            ("https://s.example", "_search", None),
            ("https://s.example", "-v", None),
        ] {
            assert_eq!(address(&context(base), target).ok().as_deref(), expected, "{base} {target}");
        }
        // A path that begins so is still one of this server.
        assert_eq!(
            address(&context("https://s.example"), "//evil.example/x").unwrap(),
            "https://s.example//evil.example/x"
        );
    }

    #[test]
    fn no_other_server_is_given_the_token() {
        let context = context("https://s.example");
        for (arguments, expected) in [
            (&["-s", "-d", "{}"][..], true),
            (&["https://s.example/other"], true),
            (&["https://evil.example/"], false),
            (&["HTTPS://evil.example/"], false),
            (&["--url", "https://evil.example/"], false),
            (&["--url", "evil.example"], false),
            (&["--url=evil.example"], false),
            (&["--url", "https://s.example/x"], true),
            (&["-x", "http://proxy.example:3128"], true),
            (&["--data", "https://evil.example/"], true),
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
            (&["-d", "{}", "--header=Content-Type: text/plain"], false),
            (&["--json", "{}"], false),
            (&["-s"], false),
            (&[], false),
        ] {
            assert_eq!(sends_json(&list(arguments)), expected, "{arguments:?}");
        }
    }
}
