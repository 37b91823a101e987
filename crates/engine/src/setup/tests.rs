use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::{KeyKind, generate_key};

fn configuration(identity: &Value, scopes: &[&str], mappings: &Value) -> Config {
    serde_json::from_value(json!({
        "listen": { "address": "127.0.0.1:8443", "plaintext": true },
        "public_url": "http://127.0.0.1:8443",
        "providers": [{ "name": "keycloak", "issuer": "http://127.0.0.1/realms/x", "audiences": ["x"] }],
        "clusters": [
            { "name": "prod", "nodes": ["https://127.0.0.1:9200"], "identity": identity, "scopes": scopes },
        ],
        "mappings": mappings,
        "audit": { "sink": { "stdout": {} } },
    }))
    .unwrap()
}

pub(super) fn set_up(identity: &Value, scopes: &[&str], mappings: &Value) -> Result<Setup, SetupError> {
    let config = configuration(identity, scopes, mappings);
    setup(&config, &config.clusters[0])
}

pub(super) fn jwt(folder: &tempfile::TempDir) -> Value {
    let path = folder.path().join("key.pem");
    std::fs::write(&path, generate_key(KeyKind::P256).unwrap().as_bytes()).unwrap();
    json!({ "signed_jwt": { "private_key": path } })
}

fn headers() -> Value {
    json!({ "proxy_headers": {} })
}

#[test]
fn a_scope_becomes_a_role_with_its_action_on_its_pattern() {
    let setup = set_up(&headers(), &["read:logs-*"], &json!([])).unwrap();
    let role = &setup.roles["oauth_read:logs-*"];
    assert_eq!(role.cluster_permissions, ["cluster:monitor/main", "oauth_read_cluster"]);
    assert_eq!(role.index_permissions[0].index_patterns, ["logs-*"]);
    assert_eq!(role.index_permissions[0].allowed_actions, ["oauth_read_index"]);
    assert_eq!(setup.action_groups.keys().collect::<Vec<_>>(), ["oauth_read_cluster", "oauth_read_index"]);
    let mapping = &setup.roles_mapping["oauth_read:logs-*"];
    assert_eq!(mapping.backend_roles, BTreeSet::from([r"/read:logs-\*/".to_owned()]));
}

#[test]
fn a_backend_role_in_a_mapping_matches_itself_only() {
    for (text, expected) in [
        ("read:logs", "read:logs"),
        ("read:logs-*", r"/read:logs-\*/"),
        ("read:*", r"/read:\*/"),
        ("prod/read:a.b-*", r"/prod\/read:a\.b-\*/"),
        ("read:a+b*", r"/read:a\+b\*/"),
    ] {
        assert_eq!(exactly(text), expected);
    }
}

#[test]
fn an_action_never_holds_the_permissions_of_documents_that_another_gives() {
    let groups = |action| {
        let needed = permissions::of_indices(action);
        needed.on_indices.iter().chain(needed.on_cluster).copied().collect::<Vec<_>>()
    };
    for action in [Action::Write, Action::Manage, Action::Monitor] {
        assert!(groups(action).iter().all(|p| !p.starts_with("indices:data/read")), "{action}");
    }
    for action in [Action::Read, Action::Manage, Action::Monitor] {
        assert!(groups(action).iter().all(|p| !p.starts_with("indices:data/write")), "{action}");
    }
    for action in Action::ALL {
        let all: Vec<_> =
            groups(action).into_iter().chain(permissions::of_cluster(action).iter().copied()).collect();
        assert!(
            all.iter().all(|p| *p != "*" && !p.contains("security") && !p.starts_with("restapi")),
            "{action}"
        );
    }
}

#[test]
fn scopes_come_from_the_cluster_the_grants_and_the_conditions() {
    let mappings = json!([
        { "scope": "read:own-*", "grant": { "roles": ["sre"] } },
        { "scope": "logs.read", "grant": { "scopes": ["read:logs-*"] } },
        { "group": "ops", "grant": { "scopes": ["prod/monitor:cluster", "staging/admin:cluster"] } },
        { "group": "ops", "clusters": ["staging"], "grant": { "scopes": ["write:staging-*"] } },
    ]);
    let setup = set_up(&headers(), &["read:listed"], &mappings).unwrap();
    let roles: Vec<_> = setup.roles.keys().map(String::as_str).collect();
    assert_eq!(
        roles,
        ["oauth_monitor:cluster", "oauth_read:listed", "oauth_read:logs-*", "oauth_read:own-*"]
    );
    let mapping = &setup.roles_mapping["oauth_monitor:cluster"];
    assert_eq!(mapping.backend_roles, BTreeSet::from([r"/prod\/monitor:cluster/".to_owned()]).clone());
    assert_eq!(setup.foreign_backend_roles, BTreeSet::from(["sre".to_owned()]));
    assert!(setup.notes.iter().any(|note| note.contains("`sre`")));
}

#[test]
fn a_scope_with_and_without_the_clusters_name_is_one_role() {
    let setup = set_up(&headers(), &["read:logs-*", "prod/read:logs-*"], &json!([])).unwrap();
    assert_eq!(setup.roles.len(), 1);
    assert_eq!(setup.roles_mapping["oauth_read:logs-*"].backend_roles.len(), 2);
}

#[test]
fn scopes_for_dashboards_get_what_dashboards_does_as_the_caller() {
    let scopes = ["read:dashboards", "write:dashboards/ops", "admin:dashboards"];
    let setup = set_up(&headers(), &scopes, &json!([])).unwrap();
    for (name, actions, tenant) in [
        ("oauth_read:dashboards", &["oauth_read_index"][..], "kibana_all_read"),
        ("oauth_write:dashboards%2Fops", &["oauth_read_index", "oauth_write_index"], "kibana_all_write"),
        (
            "oauth_admin:dashboards",
            &["oauth_read_index", "oauth_write_index", "oauth_manage_index"],
            "kibana_all_write",
        ),
    ] {
        let role = &setup.roles[name];
        let [indices] = &role.index_permissions[..] else { panic!("{role:?}") };
        assert!(indices.index_patterns.iter().all(|pattern| pattern.starts_with('.')), "{indices:?}");
        assert_eq!(indices.allowed_actions, actions);
        assert!(actions.iter().all(|group| setup.action_groups.contains_key(*group)));
        assert_eq!(role.tenant_permissions[0].tenant_patterns, ["global_tenant"]);
        assert_eq!(role.tenant_permissions[0].allowed_actions, [tenant]);
        assert!(setup.roles_mapping[name].backend_roles.len() == 1);
    }
}

#[test]
fn what_dashboards_is_set_to_is_said() {
    for (identity, dashboards, told) in [
        (
            headers(),
            json!({ "nodes": ["http://localhost:5601"] }),
            "[authorization, securitytenant, x-forwarded-for, x-proxy-user, x-proxy-roles]`; \
             `opensearch_security.auth.type: proxy`; and",
        ),
        (
            json!({ "forward": {} }),
            json!({ "nodes": ["http://localhost:5601"], "base_path": "/osd" }),
            "[authorization, securitytenant]`; `opensearch_security.auth.type: basicauth`; `server.basePath: /osd` with",
        ),
    ] {
        let mut config = configuration(&identity, &["read:dashboards"], &json!([]));
        config.clusters[0].dashboards = Some(serde_json::from_value(dashboards).unwrap());
        let setup = setup(&config, &config.clusters[0]).unwrap();
        assert!(setup.notes.iter().any(|note| note.contains(told)), "{told}: {:?}", setup.notes);
    }
}

#[test]
fn what_has_no_engine_role_is_said() {
    let scopes = ["read:eu:logs-*", "admin:plugin/security", "role:x"];
    let setup = set_up(&headers(), &scopes, &json!([])).unwrap();
    assert!(setup.roles.is_empty());
    for text in ["remote cluster", "plugin `security`", "No scope is known"] {
        assert!(setup.notes.iter().any(|note| note.contains(text)), "{text}: {:?}", setup.notes);
    }
}

#[test]
fn patterns_that_the_engine_would_read_otherwise_are_refused() {
    for scope in ["read:${user.name}", "read:a$b", "read:{a}", "read:a(b)"] {
        let refused = set_up(&headers(), &[scope], &json!([]));
        let expected = matches!(refused, Err(SetupError::Pattern(_) | SetupError::Scope { .. }));
        assert!(expected, "{scope}: {refused:?}");
    }
}

#[test]
fn backend_users_get_the_scopes_that_name_them_and_their_passwords_are_not_shown() {
    let identity = json!({ "backend_user": { "users": { "reader": "s3cret-1", "other": "s3cret-2" } } });
    let mappings = json!([
        { "scope": "a", "grant": { "scopes": ["read:logs-*"], "roles": ["sre"], "backend_user": "reader" } },
        { "scope": "read:metrics-*", "grant": { "backend_user": "reader" } },
        { "scope": "c", "grant": { "scopes": ["read:pii"] } },
    ]);
    let setup = set_up(&identity, &[], &mappings).unwrap();
    let roles: Vec<_> = setup.internal_users["reader"].backend_roles.iter().map(String::as_str).collect();
    assert_eq!(roles, ["read:logs-*", "read:metrics-*", "sre"]);
    assert!(setup.internal_users["other"].backend_roles.is_empty());
    let shown = format!("{setup:?} {} {}", setup.render(), setup.to_json());
    assert!(!shown.contains("s3cret"));
}

#[test]
fn forward_needs_nothing() {
    let setup = set_up(&json!({ "forward": {} }), &["read:logs-*"], &json!([])).unwrap();
    assert!(setup.to_yaml_files().is_empty() && setup.to_rest_calls().is_empty());
    assert_eq!(setup.notes.len(), 1);
}

#[test]
fn each_issuer_has_a_domain_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut identity = jwt(&folder);
    let name = |identity: &Value| set_up(identity, &[], &json!([])).unwrap().domain.unwrap().name;
    assert_eq!(name(&identity), "oauth_proxy_jwt");
    identity["signed_jwt"]["issuer"] = json!("https://proxy.example/b");
    assert_eq!(name(&identity), "oauth_proxy_jwt_https___proxy.example_b");
}

#[test]
fn files_and_calls_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let setup = set_up(&jwt(&folder), &["read:logs-*"], &json!([])).unwrap();
    let files = setup.to_yaml_files();
    let names: Vec<_> = files.iter().map(|file| file.name).collect();
    assert_eq!(names, ["config.yml", "action_groups.yml", "roles.yml", "roles_mapping.yml"]);
    for file in &files {
        assert!(
            file.text.starts_with(&format!("# ---- {}\n", file.name))
                && file.text.contains("securityadmin.sh")
        );
    }
    assert!(files[0].text.contains("-----BEGIN PUBLIC KEY-----") && !files[0].text.contains("PRIVATE KEY"));
    let calls = setup.to_rest_calls();
    let paths: Vec<_> = calls.iter().map(|call| call.path.rsplit_once('/').unwrap().1).collect();
    assert_eq!(paths, ["actiongroups", "roles", "rolesmapping", "securityconfig"]);
    assert_eq!(calls[1].body[0]["path"], "/oauth_read:logs-*");
    let domain = &calls[3].body[0]["value"];
    assert_eq!(domain["order"], -1);
    assert_eq!(domain["http_authenticator"]["challenge"], false);
    assert_eq!(domain["http_authenticator"]["config"]["required_audience"], "opensearch");
    assert!(setup.to_json()["files"]["roles.yml"].is_string());
    assert!(setup.render().lines().filter(|l| l.starts_with('#')).all(|l| l.chars().count() <= 110));
}

#[test]
fn whoever_lists_names_may_do_nothing_else() {
    for (identity, users) in [
        (headers(), 0),
        (json!({ "backend_user": { "users": { "lister": "s3cret-1", "other": "s3cret-2" } } }), 2),
    ] {
        let mut config = configuration(&identity, &[], &json!([]));
        assert!(setup(&config, &config.clusters[0]).unwrap().roles.is_empty());
        let user = if users > 0 { json!({ "user": "lister" }) } else { json!({}) };
        config.clusters[0].catalogue = Some(serde_json::from_value(user).unwrap());
        let setup = setup(&config, &config.clusters[0]).unwrap();
        let role = &setup.roles["oauth_catalogue"];
        assert!(role.cluster_permissions.is_empty());
        assert_eq!(role.index_permissions.len(), 1);
        assert_eq!(role.index_permissions[0].allowed_actions, ["indices:admin/resolve/index"]);
        let own = BTreeSet::from(["_proxy:catalogue".to_owned()]);
        assert_eq!(setup.roles_mapping["oauth_catalogue"].backend_roles, own);
        assert_eq!(setup.internal_users.len(), users);
        for (name, user) in &setup.internal_users {
            assert_eq!(user.backend_roles == own, name == "lister");
        }
        assert!(setup.notes.iter().any(|note| note.contains("No scope is known")));
    }
}

#[test]
fn whoever_keeps_tokens_has_their_index_and_nothing_else() {
    for (identity, user) in [
        (headers(), None),
        (json!({ "backend_user": { "users": { "keeper": "s3cret-1" } } }), Some("keeper")),
    ] {
        let mut config = configuration(&identity, &[], &json!([]));
        let cluster = config.clusters[0].name.clone();
        let store = json!({ "cluster": cluster, "secret": "s3cret of the store, long enough", "user": user });
        config.tokens = Some(serde_json::from_value(json!({ "store": { "opensearch": store } })).unwrap());
        let setup = setup(&config, &config.clusters[0]).unwrap();
        let role = &setup.roles["oauth_tokens"];
        assert_eq!(role.cluster_permissions, ["indices:data/write/bulk"]);
        assert_eq!(role.index_permissions.len(), 1);
        assert_eq!(role.index_permissions[0].index_patterns, [".oauth-tokens"]);
        let own = BTreeSet::from(["_proxy:tokens".to_owned()]);
        assert_eq!(setup.roles_mapping["oauth_tokens"].backend_roles, own);
        assert!(setup.internal_users.values().all(|user| user.backend_roles == own));
        assert!(!setup.render().contains("s3cret"));
    }
    let mut config = configuration(&headers(), &[], &json!([]));
    let store = json!({ "cluster": "another", "secret": "s3cret of the store, long enough" });
    config.tokens = Some(serde_json::from_value(json!({ "store": { "opensearch": store } })).unwrap());
    assert!(setup(&config, &config.clusters[0]).unwrap().roles.is_empty(), "the index is elsewhere");
}
