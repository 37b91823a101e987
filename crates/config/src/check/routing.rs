//! Which cluster a request is for must never be in doubt.

use std::collections::HashMap;

use ::url::Host;

use super::{Semantic, unique};
use crate::{parts::Parts, tree::At};

pub(super) fn check(parts: &Parts, findings: &mut Semantic<'_, '_>) {
    let mut routes: HashMap<(Option<String>, &str), String> = HashMap::new();
    for (at, cluster) in parts.clusters.iter() {
        let place = Place {
            at: at.clone(),
            who: format!("`{}`", cluster.name),
            named: &cluster.hosts,
            hosts: &cluster.hosts,
            prefix_key: "path_prefix",
            prefix: cluster.path_prefix.as_deref(),
        };
        place.check(&mut routes, findings);
        let Some(dashboards) = &cluster.dashboards else { continue };
        if dashboards.has_own_place() {
            let hosts = if dashboards.hosts.is_empty() { &cluster.hosts } else { &dashboards.hosts };
            let place = Place {
                at: at.key("dashboards"),
                who: format!("Dashboards of `{}`", cluster.name),
                named: &dashboards.hosts,
                hosts,
                prefix_key: if dashboards.base_path.is_some() { "base_path" } else { "path_prefix" },
                prefix: Some(dashboards.prefix()).filter(|prefix| !prefix.is_empty()),
            };
            place.check(&mut routes, findings);
        }
    }
    audiences(parts, findings);
}

/// Hosts and paths that one server behind the proxy claims.
struct Place<'a> {
    at: At,
    who: String,
    /// The hosts that its own section names.
    named: &'a [String],
    /// The hosts that it is at.
    hosts: &'a [String],
    prefix_key: &'static str,
    prefix: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn check(self, routes: &mut HashMap<(Option<String>, &'a str), String>, findings: &mut Semantic<'_, '_>) {
        if let Some(prefix) = self.prefix {
            path_prefix(&self.at.key(self.prefix_key), prefix, findings);
        }
        for (index, host) in self.named.iter().enumerate() {
            host_name(&self.at.key("hosts").index(index), host, findings);
        }
        let prefix = self.prefix.unwrap_or_default();
        for host in hosts(self.hosts) {
            if let Some(first) = routes.insert((host.clone(), prefix), self.who.clone()) {
                let here = host.map_or_else(|| "any host".to_owned(), |host| format!("host `{host}`"));
                findings.error(
                    &self.at,
                    format!("requests for {here} and path `{prefix}/` would be for {first} as well"),
                    "give each different `hosts`, or a different path",
                );
                break;
            }
        }
    }
}

fn hosts(named: &[String]) -> Vec<Option<String>> {
    if named.is_empty() {
        vec![None]
    } else {
        named.iter().map(|host| Some(host.to_ascii_lowercase())).collect()
    }
}

fn path_prefix(at: &At, prefix: &str, findings: &mut Semantic<'_, '_>) {
    let segments = || prefix.split('/').skip(1);
    let plain = |segment: &str| {
        !segment.is_empty()
            && !segment.starts_with('.')
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~'))
    };
    if !prefix.starts_with('/') || !segments().all(plain) {
        findings.error(
            at,
            format!("`{prefix}` is not a path prefix"),
            "begin it with `/` and end it without one, in letters, digits, `-`, `_`, `.` and `~`, as in `/prod`",
        );
    } else if segments().next().is_some_and(|first| first.starts_with('_')) {
        findings.error(
            at,
            format!("`{prefix}` begins like the engine's own paths"),
            "choose a prefix that does not begin with `/_`",
        );
    }
}

fn host_name(at: &At, host: &str, findings: &mut Semantic<'_, '_>) {
    let parsed = Host::parse(host);
    if !parsed.is_ok_and(|parsed| parsed.to_string().eq_ignore_ascii_case(host)) {
        findings.error(
            at,
            format!("`{host}` is not a host name"),
            "give the name alone, without scheme, port or path, as in `search.example.com`",
        );
    }
}

fn audiences(parts: &Parts, findings: &mut Semantic<'_, '_>) {
    let clusters = &parts.clusters;
    unique(
        clusters.iter().filter_map(|(at, cluster)| Some((at.key("audience"), cluster.audience.as_deref()?))),
        "give each cluster an audience of its own: a token for one would be good for the other",
        findings,
    );
    if clusters.items.len() < 2 {
        return;
    }
    for (at, cluster) in clusters.iter() {
        let Some(audience) = &cluster.audience else {
            findings.error(
                &at.key("audience"),
                "is missing; with several clusters, nothing else says for which one a token is",
                "add `audience` to every cluster",
            );
            continue;
        };
        let known = parts.providers.iter().any(|(_, provider)| provider.audiences.contains(audience));
        if !known && parts.providers.is_complete() {
            findings.warning(
                &at.key("audience"),
                format!(
                    "no provider accepts the audience `{audience}`, so that a token needs another one besides"
                ),
                "add it to the `audiences` of a provider",
            );
        }
    }
}
