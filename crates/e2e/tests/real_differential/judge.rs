//! What two answers to the same request say about who refused it.

use std::collections::BTreeSet;

use e2e::Reply;
use http::StatusCode;
use serde_json::Value;

/// Both answers to one request.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// Through the proxy, which speaks to the engine as its administrator.
    pub(crate) proxied: Proxied,
    /// Directly, as the user with the roles of the scopes.
    pub(crate) direct: Direct,
    /// Which indices the answers name, where both allow.
    pub(crate) told: Told,
}

/// Which of the engine's names stand in two answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// How many stand in the one through the proxy.
    pub(crate) all: usize,
    /// Those that stand in it and not in the direct one.
    pub(crate) more: Vec<String>,
}

impl Pair {
    /// Judges both answers to one request. `names` are those that exist in the engine.
    pub(crate) fn of(proxied: &Reply, direct: &Reply, names: &BTreeSet<String>) -> Self {
        let both = proxied.status.is_success() && direct.status.is_success();
        let told = if both { Told::of(proxied, direct, names) } else { Told::default() };
        Self { proxied: Proxied::of(proxied), direct: Direct::of(direct), told }
    }
}

impl Told {
    fn of(proxied: &Reply, direct: &Reply, names: &BTreeSet<String>) -> Self {
        let (proxied, direct) = (told(proxied, names), told(direct, names));
        let more = proxied.difference(&direct).map(|&name| name.to_owned()).collect();
        Self { all: proxied.len(), more }
    }
}

/// Which of `names` stand in an answer, as whole words.
fn told<'n>(reply: &Reply, names: &'n BTreeSet<String>) -> BTreeSet<&'n str> {
    let text = reply.text();
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
    words.filter_map(|word| names.get(word).map(String::as_str)).collect()
}

/// What the proxy made of a request.
#[derive(Clone, Debug)]
pub(crate) enum Proxied {
    /// It refused, with this reason code and the scope that would do.
    Refused { code: String, needed: Option<String> },
    /// The engine answered.
    LetThrough(StatusCode),
    /// The engine refuses this even to its administrator.
    RefusedToAll,
}

/// What the engine made of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direct {
    /// Its security plugin refused, the request or a part of it.
    Refused,
    /// It answered with this.
    Answered(StatusCode),
}

impl Direct {
    pub(crate) fn of(reply: &Reply) -> Self {
        if is_refusal(reply) { Self::Refused } else { Self::Answered(reply.status) }
    }
}

impl Proxied {
    pub(crate) fn of(reply: &Reply) -> Self {
        if reply.headers.contains_key("x-decision-id") {
            let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let text = |name: &str| body["error"][name].as_str().map(ToOwned::to_owned);
            let code = text("code").unwrap_or_else(|| "HEAD".to_owned());
            return Self::Refused { code, needed: text("needed_scope") };
        }
        if is_refusal(reply) { Self::RefusedToAll } else { Self::LetThrough(reply.status) }
    }
}

/// A refusal of the security plugin stands in the status, or in the item of a bulk and the like.
fn is_refusal(reply: &Reply) -> bool {
    reply.status == StatusCode::FORBIDDEN
        || reply.status == StatusCode::UNAUTHORIZED
        || reply.text().contains("security_exception")
}
