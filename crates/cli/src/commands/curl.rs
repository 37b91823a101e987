//! `curl`.

mod arguments;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use self::arguments::{check, is_at, sends_json};
use crate::app::{App, join};
use crate::cli;
use crate::error::{Error, Result};
use crate::store::Context;

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
    // Its own configuration file could have it write down what it sends, or call other servers too.
    curl.arg("--disable").arg("--config").arg(format!("/dev/fd/{}", reader.as_raw_fd())).args(arguments);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn context(url: &str) -> Context {
        Context { url: url.parse().unwrap(), ca: None, providers: BTreeMap::new() }
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
}
