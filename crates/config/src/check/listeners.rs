//! The public and the admin listener, limits and logs.

use super::{
    Semantic,
    url::{self, Http, Shape},
};
use crate::{
    model::{Admin, Limits, Listen, Telemetry},
    parts::Parts,
    tree::At,
};

pub(super) fn check(parts: &Parts, findings: &mut Semantic<'_, '_>) {
    let root = At::default();
    if let Some(listen) = &parts.listen {
        check_listen(&root.key("listen"), listen, findings);
    }
    if let Some(url) = &parts.public_url {
        url::check(&root.key("public_url"), url, Shape::WithPath, Http::LoopbackOnly, findings);
    }
    if let Some(admin) = &parts.admin {
        check_admin(&root.key("admin"), admin, parts.listen.as_ref(), findings);
    }
    if let Some(limits) = &parts.limits {
        check_limits(&root.key("limits"), limits, findings);
    }
    if let Some(telemetry) = &parts.telemetry {
        check_telemetry(&root.key("telemetry"), telemetry, findings);
    }
}

fn check_listen(at: &At, listen: &Listen, findings: &mut Semantic<'_, '_>) {
    match (&listen.tls, listen.plaintext) {
        (Some(_), true) => findings.error(
            &at.key("plaintext"),
            "contradicts `tls`",
            "remove `plaintext: true` to serve TLS, or `tls` to serve without it",
        ),
        (None, false) => findings.error(
            at,
            "there is no certificate",
            "add `tls` with `certificate` and `private_key`; on a loopback address, `plaintext: true` does without",
        ),
        (None, true) if !url::is_loopback_address(listen.address.ip()) => findings.error(
            &at.key("plaintext"),
            format!("{} can be reached from other hosts, and tokens would travel in the clear", listen.address),
            "listen on a loopback address such as 127.0.0.1, or replace `plaintext` by `tls`",
        ),
        _ => {}
    }
}

fn check_admin(at: &At, admin: &Admin, listen: Option<&Listen>, findings: &mut Semantic<'_, '_>) {
    let address = at.key("address");
    if !admin.allow_remote && !url::is_loopback_address(admin.address.ip()) {
        findings.error(
            &address,
            "can be reached from other hosts, and this listener has no authentication",
            "use a loopback address such as 127.0.0.1, or accept it with `allow_remote: true`",
        );
    }
    let Some(listen) = listen else { return };
    let (a, b) = (admin.address, listen.address);
    let overlap = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    if a.port() == b.port() && a.port() != 0 && overlap {
        findings.error(&address, "is the address of `listen` too", "choose another port");
    }
}

fn check_limits(at: &At, limits: &Limits, findings: &mut Semantic<'_, '_>) {
    if limits.max_token_size > limits.max_header_size {
        findings.error(
            &at.key("max_token_size"),
            format!(
                "a token of {} does not fit into headers of {}",
                limits.max_token_size, limits.max_header_size
            ),
            "lower it, or raise `max_header_size`",
        );
    }
}

fn check_telemetry(at: &At, telemetry: &Telemetry, findings: &mut Semantic<'_, '_>) {
    if telemetry.log_level.as_ref().is_some_and(|level| level.trim().is_empty()) {
        findings.error(&at.key("log_level"), "is empty", "give a filter such as `info`, or remove the key");
    }
    if let Some(otlp) = &telemetry.otlp {
        url::check(&at.key("otlp").key("endpoint"), &otlp.endpoint, Shape::WithQuery, Http::Fine, findings);
    }
}
