//! Which cluster a request is for must never be in doubt.

use std::collections::HashMap;

use ::url::Host;

use super::{Semantic, unique};
use crate::{model::Cluster, parts::Parts, tree::At};

pub(super) fn check(parts: &Parts, findings: &mut Semantic<'_, '_>) {
    let mut routes: HashMap<(Option<String>, &str), &str> = HashMap::new();
    for (at, cluster) in parts.clusters.iter() {
        if let Some(prefix) = &cluster.path_prefix {
            path_prefix(&at.key("path_prefix"), prefix, findings);
        }
        for (index, host) in cluster.hosts.iter().enumerate() {
            host_name(&at.key("hosts").index(index), host, findings);
        }
        let prefix = cluster.path_prefix.as_deref().unwrap_or_default();
        for host in hosts(cluster) {
            if let Some(first) = routes.insert((host.clone(), prefix), &cluster.name) {
                let here = host.map_or_else(|| "any host".to_owned(), |host| format!("host `{host}`"));
                findings.error(
                    at,
                    format!("requests for {here} and path `{prefix}/` would be for `{first}` as well"),
                    "give the clusters different `hosts`, or different `path_prefix`es",
                );
                break;
            }
        }
    }
    audiences(parts, findings);
}

fn hosts(cluster: &Cluster) -> Vec<Option<String>> {
    if cluster.hosts.is_empty() {
        vec![None]
    } else {
        cluster.hosts.iter().map(|host| Some(host.to_ascii_lowercase())).collect()
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
