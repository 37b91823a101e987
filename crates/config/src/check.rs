//! Rules that concern several values, or the meaning of one.

use std::collections::HashMap;

use crate::{parts::Parts, report::Findings, tree::At};

mod api_token;
mod authorization;
mod catalogue;
mod cluster;
mod dashboards;
mod listeners;
mod mapping;
mod policies;
mod provider;
mod rate_limits;
mod routing;
mod tokens;
mod url;

/// Runs every check whose values could be read.
pub(crate) fn all(parts: &Parts, findings: &mut Findings<'_>) {
    let mut findings = Semantic(findings);
    listeners::check(parts, &mut findings);
    provider::check(&parts.providers, &mut findings);
    cluster::check(&parts.clusters, &mut findings);
    routing::check(parts, &mut findings);
    mapping::check(parts, &mut findings);
    tokens::check(parts, &mut findings);
    policies::check(parts, &mut findings);
    rate_limits::check(parts, &mut findings);
}

/// Findings about meaning: left out where the structure is already known to be wrong, since they would be
/// consequences of that.
struct Semantic<'a, 'f>(&'a mut Findings<'f>);

impl Semantic<'_, '_> {
    fn error(&mut self, at: &At, message: impl Into<String>, cure: impl Into<String>) {
        if !self.0.touches_broken(at) {
            self.0.error_without_trace(at, message, cure);
        }
    }

    /// As [`Self::error`], pointing at the key.
    fn error_at_key(&mut self, at: &At, message: impl Into<String>, cure: impl Into<String>) {
        if !self.0.touches_broken(at) {
            self.0.key_error_without_trace(at, message, cure);
        }
    }

    fn warning(&mut self, at: &At, message: impl Into<String>, cure: impl Into<String>) {
        if !self.0.touches_broken(at) {
            self.0.warning(at, message, cure);
        }
    }
}

/// Reports every value that an earlier one equals.
fn unique<'v>(values: impl IntoIterator<Item = (At, &'v str)>, cure: &str, findings: &mut Semantic<'_, '_>) {
    let mut seen: HashMap<&str, At> = HashMap::new();
    for (at, value) in values {
        if let Some(first) = seen.get(value) {
            findings.error(&at, format!("`{value}` is already given at {first}"), cure);
        } else {
            seen.insert(value, at);
        }
    }
}
