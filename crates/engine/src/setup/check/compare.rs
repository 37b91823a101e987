//! The comparison with the engine's security configuration, as plain data.

use access::Glob;
use serde_json::{Map, Value};

use super::Finding;
use crate::setup::{
    Domain, Setup,
    api::Current,
    api_tokens,
    apply::{keep_mapping_additions, keep_role_additions},
    rest_calls::entries,
};

const APPLY: &str = "run `engine-setup --apply`, or add the entry that `engine-setup` prints";

pub(super) fn compare(setup: &Setup, current: &Current) -> Vec<Finding> {
    let mut findings = domain(setup, &current.config);
    if setup.api_tokens {
        let what = "the engine accepts API tokens";
        findings.push(if api_tokens::are_enabled(&current.config) {
            Finding::ok(what)
        } else {
            Finding::missing(what, "`api_tokens.enabled: true`, of engine 3.7 or later", APPLY)
        });
    }
    let same: fn(&mut Value, &Value) = |_, _| {};
    for (kind, wanted, present, merge) in [
        ("action group", entries(&setup.action_groups), &current.action_groups, same),
        ("role", entries(&setup.roles), &current.roles, keep_role_additions),
        ("user", entries(&setup.internal_users), &current.internal_users, same),
        ("role mapping", entries(&setup.roles_mapping), &current.roles_mapping, keep_mapping_additions),
    ] {
        for (name, entry) in wanted {
            findings.push(entry_finding(kind, &name, entry, present, merge));
        }
    }
    findings.extend(wider_mappings(setup, &current.roles_mapping));
    findings.extend(foreign_roles(setup, &current.roles_mapping));
    findings
}

fn entry_finding(
    kind: &str,
    name: &str,
    mut wanted: Value,
    present: &Map<String, Value>,
    merge: fn(&mut Value, &Value),
) -> Finding {
    let what = format!("{kind} `{name}`");
    let Some(present) = present.get(name) else {
        return Finding::missing(what, text(&wanted), APPLY);
    };
    merge(&mut wanted, present);
    if contains(present, &wanted) {
        Finding::ok(what)
    } else {
        Finding::differs(what, text(&wanted), text(&of_interest(present, &wanted)), APPLY)
    }
}

/// Whether `present` says all that `wanted` says: members that only `present` has do not count, nor do descriptions, nor
/// the order of lists; but a list may hold nothing more.
pub(in crate::setup) fn contains(present: &Value, wanted: &Value) -> bool {
    match (present, wanted) {
        (Value::Object(present), Value::Object(wanted)) => wanted
            .iter()
            .filter(|(key, _)| *key != "description")
            .all(|(key, wanted)| contains(present.get(key).unwrap_or(&Value::Null), wanted)),
        (Value::Array(present), Value::Array(wanted)) => {
            present.len() == wanted.len()
                && wanted.iter().all(|wanted| present.iter().any(|present| contains(present, wanted)))
        }
        // The engine leaves empty lists out of some answers.
        (Value::Null, Value::Array(wanted)) => wanted.is_empty(),
        _ => present == wanted,
    }
}

/// The domains of the running configuration, by name.
pub(in crate::setup) fn domains(config: &Value) -> impl Iterator<Item = (&str, &Value)> {
    config["config"]["dynamic"]["authc"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, domain)| (name.as_str(), domain))
}

/// What there is to say of the authentication domain.
pub(in crate::setup) fn domain(setup: &Setup, config: &Value) -> Vec<Finding> {
    let Some(wanted) = &setup.domain else { return Vec::new() };
    let what = format!("authentication domain `{}`", wanted.name);
    let Some((name, present)) = find(wanted, config) else {
        return vec![Finding::missing(what, format!("a domain of type `{}`", wanted.authenticator), APPLY)];
    };
    let mut findings = vec![settings(wanted, name, present), order(name, present, config)];
    if let Some(addresses) = &wanted.trusted_proxies {
        let xff = &config["config"]["dynamic"]["http"]["xff"];
        findings.push(if xff["enabled"] == true && xff["remoteIpHeader"] == "x-forwarded-for" {
            Finding::ok("xff (from which addresses the headers are believed)")
        } else {
            let expected =
                format!("enabled, `internalProxies` matching the proxy only (for example {addresses})");
            Finding::differs(
                "xff (from which addresses the headers are believed)",
                expected,
                text(xff),
                APPLY,
            )
        });
    }
    findings
}

/// The domain of our name, or one that an operator made for the same key or headers under another name.
fn find<'a>(wanted: &Domain, config: &'a Value) -> Option<(&'a str, &'a Value)> {
    domains(config).find(|(name, _)| *name == wanted.name).or_else(|| {
        let telling = if wanted.authenticator == "jwt" { "signing_key" } else { "user_header" };
        domains(config).find(|(_, present)| {
            let authenticator = &present["http_authenticator"];
            authenticator["type"] == wanted.authenticator
                && setting_equals(telling, &authenticator["config"][telling], &wanted.settings[telling])
        })
    })
}

fn settings(wanted: &Domain, name: &str, present: &Value) -> Finding {
    let what = format!("authentication domain `{name}`: settings");
    let authenticator = &present["http_authenticator"];
    let mut wrong = Vec::new();
    let mut expect = |key: &str, is: &Value, should: &Value| {
        if !setting_equals(key, is, should) {
            wrong.push(match key {
                "signing_key" => (
                    "signing_key: the public key of this proxy's private key".to_owned(),
                    format!("signing_key: {}", if is.is_null() { "none" } else { "another key" }),
                ),
                _ => (format!("{key}: {}", text(should)), format!("{key}: {}", text(is))),
            });
        }
    };
    expect("http_enabled", &present["http_enabled"], &true.into());
    expect("type", &authenticator["type"], &wanted.authenticator.into());
    expect("challenge", &authenticator["challenge"], &false.into());
    expect("authentication_backend", &present["authentication_backend"]["type"], &"noop".into());
    for (key, value) in &wanted.settings {
        expect(key, &authenticator["config"][key], value);
    }
    if wrong.is_empty() {
        return Finding::ok(what);
    }
    let (expected, found): (Vec<_>, Vec<_>) = wrong.into_iter().unzip();
    Finding::differs(what, expected.join(", "), found.join(", "), APPLY)
}

/// `signing_key` may be a list during a change of keys, and line ends do not matter to the engine.
fn setting_equals(key: &str, is: &Value, should: &Value) -> bool {
    let squeeze = |value: &Value| value.as_str().map(|text| text.split_whitespace().collect::<String>());
    match (key, is) {
        ("signing_key", Value::Array(keys)) => keys.iter().any(|is| setting_equals(key, is, should)),
        ("signing_key", _) => squeeze(is) == squeeze(should),
        ("jwt_clock_skew_tolerance_seconds", is) => {
            is.as_i64().is_none_or(|seconds| (0..=60).contains(&seconds))
        }
        ("required_audience" | "roles_key" | "subject_key", Value::Array(items)) => {
            items.len() == 1 && items.first() == Some(should)
        }
        _ => is == should,
    }
}

/// The engine keeps one domain of each order, and one that challenges ends the search.
fn order(name: &str, present: &Value, config: &Value) -> Finding {
    let what = format!("authentication domain `{name}`: order");
    let own = present["order"].as_i64().unwrap_or_default();
    let blocking: Vec<_> = domains(config)
        .filter(|(other, domain)| *other != name && domain["http_enabled"] == true)
        .filter_map(|(other, domain)| {
            let order = domain["order"].as_i64().unwrap_or_default();
            let challenges = domain["http_authenticator"]["challenge"] == true;
            (order == own || (order < own && challenges)).then(|| format!("`{other}` has {order}"))
        })
        .collect();
    if blocking.is_empty() {
        return Finding::ok(what);
    }
    Finding::differs(
        what,
        "an order of its own, before every domain that challenges",
        format!("{own}, while {}", blocking.join(" and ")),
        "give the domain an order that no other has, lower than theirs",
    )
}

/// Mappings that give a scope more than its own role. The usual cause is that the engine reads backend roles of a mapping
/// as patterns, so that the text `read:logs-*` there also matches the narrower scope `read:logs-app-*`.
fn wider_mappings(setup: &Setup, present: &Map<String, Value>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (role, mapping) in present {
        let others = setup.scopes.iter().filter(|(_, own)| *own != role).map(|(scope, _)| scope);
        for (scope, pattern) in matches(others, mapping) {
            findings.push(Finding::differs(
                format!("what else the scope `{scope}` gives"),
                "its own engine role only",
                format!("role `{role}`, whose mapping has the backend role `{pattern}`"),
                format!("take `{pattern}` out of the mapping of `{role}`, or narrow it"),
            ));
        }
    }
    if findings.is_empty() && !setup.scopes.is_empty() {
        findings.push(Finding::ok("no role mapping matches a scope that is not its own"));
    }
    findings
}

/// Backend roles that mappings of the proxy give and that nobody maps.
fn foreign_roles(setup: &Setup, present: &Map<String, Value>) -> Vec<Finding> {
    setup
        .foreign_backend_roles
        .iter()
        .map(|role| {
            let what = format!("backend role `{role}`, given by a mapping of the proxy");
            if present.values().any(|mapping| matches(std::iter::once(role), mapping).next().is_some()) {
                Finding::ok(what)
            } else {
                Finding::missing(
                    what,
                    "a role mapping that names it",
                    format!("add `{role}` to the `backend_roles` of the mapping of the engine role it is meant for"),
                )
            }
        })
        .collect()
}

/// The texts that the mapping's backend roles match, with the pattern that does. Regular expressions (between slashes) are
/// left to the live probes.
pub(super) fn matches<'a>(
    texts: impl Iterator<Item = &'a String>,
    mapping: &'a Value,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let patterns: Vec<_> =
        mapping["backend_roles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    texts.filter_map(move |text| {
        patterns
            .iter()
            .find(|pattern| Glob::new(**pattern).matches(text))
            .map(|pattern| (text.as_str(), *pattern))
    })
}

/// What `present` says of the members that `wanted` has.
fn of_interest(present: &Value, wanted: &Value) -> Value {
    match (present, wanted) {
        (Value::Object(present), Value::Object(wanted)) => present
            .iter()
            .filter(|(key, _)| wanted.contains_key(*key))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        _ => present.clone(),
    }
}

/// One line, cut where it gets too long for a terminal.
fn text(value: &Value) -> String {
    const LIMIT: usize = 400;
    let text = value.to_string();
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::setup::{
        Status,
        rest_calls::entries,
        tests::{jwt, set_up},
    };

    /// An engine that has all that the set-up wants, beside a basic domain.
    fn in_line(setup: &Setup) -> Current {
        let domain = setup.domain.as_ref().unwrap();
        Current {
            config: json!({ "config": { "dynamic": { "http": { "xff": domain.xff() }, "authc": {
                domain.name.as_str(): domain.value(-1),
                "basic": { "http_enabled": true, "order": 0, "http_authenticator": { "type": "basic", "challenge": true } },
            } } } }),
            action_groups: entries(&setup.action_groups),
            roles: entries(&setup.roles),
            roles_mapping: entries(&setup.roles_mapping),
            internal_users: Map::new(),
        }
    }

    fn open(setup: &Setup, current: &Current) -> Vec<(Status, String)> {
        let findings = compare(setup, current).into_iter().filter(|finding| !finding.is_ok());
        findings.map(|finding| (finding.status, finding.what)).collect()
    }

    #[test]
    fn what_is_changed_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let setup = set_up(&jwt(&folder), &["read:logs-*", "read:logs-app-*"], &json!([])).unwrap();
        assert_eq!(open(&setup, &in_line(&setup)), []);

        let authc = "/config/dynamic/authc";
        let cases: [(&str, Value, Status, &str); 10] = [
            ("/oauth_proxy_jwt/http_enabled", json!(false), Status::Differs, "settings"),
            ("/oauth_proxy_jwt/http_authenticator/challenge", json!(true), Status::Differs, "settings"),
            (
                "/oauth_proxy_jwt/http_authenticator/config/signing_key",
                json!("other"),
                Status::Differs,
                "settings",
            ),
            (
                "/oauth_proxy_jwt/http_authenticator/config/signing_key",
                Value::Null,
                Status::Differs,
                "settings",
            ),
            (
                "/oauth_proxy_jwt/http_authenticator/config/required_issuer",
                json!("x"),
                Status::Differs,
                "settings",
            ),
            ("/oauth_proxy_jwt/http_authenticator/config/roles_key", json!("x"), Status::Differs, "settings"),
            ("/oauth_proxy_jwt/authentication_backend/type", json!("intern"), Status::Differs, "settings"),
            ("/oauth_proxy_jwt/order", json!(0), Status::Differs, "order"),
            ("/oauth_proxy_jwt/order", json!(5), Status::Differs, "order"),
            ("/basic/order", json!(-1), Status::Differs, "order"),
        ];
        for (path, value, status, what) in cases {
            let mut current = in_line(&setup);
            *current.config.pointer_mut(&format!("{authc}{path}")).unwrap() = value;
            let found = open(&setup, &current);
            assert!(
                found.len() == 1 && found[0].0 == status && found[0].1.ends_with(what),
                "{path}: {found:?}"
            );
        }
        let mut current = in_line(&setup);
        current.config = json!({});
        assert_eq!(open(&setup, &current)[0].0, Status::Missing);
    }

    #[test]
    fn a_key_that_is_being_changed_and_another_name_of_the_domain_are_fine() {
        let folder = tempfile::tempdir().unwrap();
        let setup = set_up(&jwt(&folder), &["read:logs-*"], &json!([])).unwrap();
        let mut current = in_line(&setup);
        let authc = current.config.pointer_mut("/config/dynamic/authc").unwrap().as_object_mut().unwrap();
        let mut domain = authc.remove("oauth_proxy_jwt").unwrap();
        let key = &mut domain["http_authenticator"]["config"]["signing_key"];
        *key = json!(["another", key.as_str().unwrap().replace('\n', "\r\n")]);
        authc.insert("made_by_hand".to_owned(), domain);
        assert_eq!(open(&setup, &current), []);
    }

    #[test]
    fn entries_that_are_missing_wider_or_narrower() {
        let folder = tempfile::tempdir().unwrap();
        let setup = set_up(&jwt(&folder), &["read:logs-*"], &json!([])).unwrap();
        let role = "oauth_read:logs-*";
        let mut current = in_line(&setup);
        current.roles.remove(role);
        assert_eq!(open(&setup, &current), [(Status::Missing, format!("role `{role}`"))]);

        let patterns = |patterns: Value| {
            let mut current = in_line(&setup);
            current.roles[role]["index_permissions"][0]["index_patterns"] = patterns;
            open(&setup, &current)
        };
        for changed in [json!(["logs-*", "pii-*"]), json!(["*"]), json!([])] {
            assert_eq!(patterns(changed), [(Status::Differs, format!("role `{role}`"))]);
        }

        // What an operator adds to narrow a role is no difference.
        let mut current = in_line(&setup);
        current.roles[role]["index_permissions"][0]["dls"] = json!("{}");
        current.roles[role]["description"] = json!("ours");
        current.roles_mapping[role]["users"] = json!(["operator"]);
        assert_eq!(open(&setup, &current), []);

        let mut current = in_line(&setup);
        current.action_groups["oauth_read_index"]["allowed_actions"].as_array_mut().unwrap().pop();
        assert_eq!(open(&setup, &current).len(), 1);
    }

    #[test]
    fn mappings_that_give_a_scope_more_than_its_own_role() {
        let folder = tempfile::tempdir().unwrap();
        let setup = set_up(&jwt(&folder), &["read:logs-*", "read:logs-app-*"], &json!([])).unwrap();
        for (role, patterns, expected) in [
            ("all_access", json!(["*"]), 2),
            ("all_access", json!(["read:logs-app-*"]), 1),
            ("all_access", json!(["admin"]), 0),
            // The scope's own text, unescaped, in the mapping of its own role: matches the narrower scope, too.
            ("oauth_read:logs-*", json!(["read:logs-*"]), 1),
        ] {
            let mut current = in_line(&setup);
            current.roles_mapping.insert(role.to_owned(), json!({ "backend_roles": patterns }));
            let found = open(&setup, &current);
            let wider = found.iter().filter(|(_, what)| what.starts_with("what else")).count();
            assert_eq!(wider, expected, "{role} {patterns}: {found:?}");
        }
    }

    #[test]
    fn roles_that_only_the_operator_can_map() {
        let mappings = json!([{ "group": "sre", "grant": { "roles": ["sre_engine"] } }]);
        let setup = set_up(&json!({ "proxy_headers": {} }), &[], &mappings).unwrap();
        let mut current = in_line(&setup);
        assert!(open(&setup, &current)[0].1.contains("sre_engine"));
        current.roles_mapping.insert("ops".to_owned(), json!({ "backend_roles": ["sre_*"] }));
        assert_eq!(open(&setup, &current), []);
    }

    #[test]
    fn headers_need_xff() {
        let setup = set_up(&json!({ "proxy_headers": {} }), &[], &json!([])).unwrap();
        let mut current = in_line(&setup);
        current.config["config"]["dynamic"]["http"]["xff"]["enabled"] = json!(false);
        assert_eq!(open(&setup, &current).len(), 1);
    }
}
