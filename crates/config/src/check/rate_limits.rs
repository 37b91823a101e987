//! Rate limits.

use std::collections::BTreeSet;

use super::{Semantic, mapping, unique};
use crate::{
    model::{RateLimit, RatePartition},
    parts::Parts,
    structure::similar::nearest,
    tree::At,
};

pub(super) fn check(parts: &Parts, findings: &mut Semantic<'_, '_>) {
    let Some(limits) = &parts.rate_limits else { return };
    let at = At::default().key("rate_limits");
    if limits.rules.is_empty() && limits.failed_authentications.is_none() {
        findings.error(&at, "limits nothing", "add `rules` or `failed_authentications`, or remove it");
    }
    let list = at.key("rules");
    unique(
        limits
            .rules
            .iter()
            .enumerate()
            .map(|(index, rule)| (list.index(index).key("name"), rule.name.as_str())),
        "give each rule a name of its own",
        findings,
    );
    for (index, rule) in limits.rules.iter().enumerate() {
        one(&list.index(index), rule, limits.replicas, parts, findings);
    }
    if let Some(failed) = &limits.failed_authentications {
        share(&at.key("failed_authentications"), failed.burst(), limits.replicas, findings);
    }
}

fn one(at: &At, rule: &RateLimit, replicas: u32, parts: &Parts, findings: &mut Semantic<'_, '_>) {
    share(at, rule.burst(), replicas, findings);
    let mut seen: Vec<RatePartition> = Vec::new();
    for (index, partition) in rule.per.iter().enumerate() {
        if seen.contains(partition) {
            findings.error(&at.key("per").index(index), "is already given", "keep one of them");
        }
        seen.push(*partition);
    }
    let clusters = at.key("clusters");
    for (index, name) in rule.clusters.iter().flatten().enumerate() {
        mapping::known(&clusters.index(index), name, &parts.clusters.names, "cluster", findings);
    }
    let operations: BTreeSet<&str> = rest::operations().iter().map(|operation| operation.name).collect();
    let share = (rule.burst() / replicas).max(1);
    for (name, &weight) in &rule.weights {
        let at = at.key("weights").key(name);
        // The operations of Dashboards stand in a table that is not at hand here.
        if !operations.contains(name.as_str()) && !name.starts_with("dashboards.") {
            let cure = match nearest(name, operations.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "name it as the `operation` of audit records does".to_owned(),
            };
            findings.error_at_key(&at, format!("`{name}` is not an operation"), cure);
        }
        if weight > share {
            findings.error(
                &at,
                format!(
                    "counts for more than the {share} that may come at once, and would never be let through"
                ),
                "lower it, or raise `burst`",
            );
        }
    }
}

fn share(at: &At, burst: u32, replicas: u32, findings: &mut Semantic<'_, '_>) {
    if burst < replicas {
        findings.error(
            at,
            format!("allows {burst} at once, which {replicas} replicas cannot share"),
            "raise `burst`, or correct `replicas`",
        );
    }
}
