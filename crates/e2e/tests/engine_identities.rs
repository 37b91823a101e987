//! The engine identities and `engine-setup`, tried on the real engine without the proxy in between.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use access::Permit;
use bytes::Bytes;
use config::model::{Cluster, Config};
use engine::{
    Caller, Credential, EngineIdentity, IdentityError, KeyKind, Setup, generate_key,
    setup::{AdminAccess, apply, check, setup},
};
use http::{HeaderValue, Method, Request, StatusCode, header};
use rest::{Action, Operation, Place, VariableKind};
use serde_json::{Value, json};
use testbed::{EngineInfo, RestClient, TestbedInfo};
use tokio::sync::OnceCell;
use transport::{HttpClient, TlsOptions};

const SCOPES: [&str; 14] = [
    "read:identities-*",
    "read:identities-narrow-*",
    "write:identities-*",
    "manage:identities-*",
    "monitor:identities-*",
    "admin:identities-*",
    "read:cluster",
    "manage:cluster",
    "monitor:cluster",
    "admin:cluster",
    "read:logs-*",
    "read:*",
    "monitor:*",
    "manage:*",
];

/// A name of our own, so that other tests with keys of their own can use the same engine at the same time.
const ISSUER: &str = "engine-identities";

/// One identity of each kind, with the set-up that was applied for it.
struct World {
    engine: EngineInfo,
    jwt: Identity,
    headers: Identity,
    backend_user: Identity,
}

struct Identity {
    setup: Setup,
    identity: EngineIdentity,
}

impl World {
    fn is_before_3(&self) -> bool {
        self.engine.version.starts_with("2.")
    }
}

/// All tests of this file share the engine, so all is applied before the first of them goes on.
async fn world() -> &'static World {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    WORLD
        .get_or_init(|| async {
            let engine = TestbedInfo::from_env().unwrap().engine;
            let jwt = json!({ "signed_jwt": {
                "private_key": key_file("shared", KeyKind::Rsa2048),
                "issuer": ISSUER,
                "attributes": { "tenant": "tenant" },
            } });
            let tenants = json!([{ "group": "tenants", "grant": { "roles": ["tenant_logs_reader"] } }]);
            let headers = json!({ "proxy_headers": { "attributes": { "tenant": "tenant" } } });
            let users = json!({ "backend_user": { "users": { "identities_reader": "Reader-Pass-2026!" } } });
            let reader = json!([{
                "scope": "read:identities-*",
                "grant": { "scopes": ["read:identities-*"], "backend_user": "identities_reader" },
            }]);
            let world = World {
                jwt: applied(&engine, &configuration(&jwt, &tenants)).await,
                headers: applied(&engine, &configuration(&headers, &json!([]))).await,
                backend_user: applied(&engine, &configuration(&users, &reader)).await,
                engine,
            };
            let admin = world.engine.client().unwrap();
            admin.rest(&Method::DELETE, "/identities-absent", None).await.unwrap();
            for name in ["identities-a", "identities-narrow-a", "unrelated-a"] {
                let path = format!("/{name}/_doc/1?refresh=true");
                admin.expect(&Method::PUT, &path, Some(&json!({ "text": "x" }))).await.unwrap();
            }
            world
        })
        .await
}

async fn applied(engine: &EngineInfo, config: &Config) -> Identity {
    let cluster = only_cluster(config);
    let setup = setup(config, cluster).unwrap();
    apply(&setup, &admin(engine)).await.unwrap();
    Identity { setup, identity: EngineIdentity::from_config(&cluster.identity).unwrap() }
}

fn configuration(identity: &Value, mappings: &Value) -> Config {
    serde_json::from_value(json!({
        "listen": { "address": "127.0.0.1:8443", "plaintext": true },
        "public_url": "http://127.0.0.1:8443",
        "providers": [{ "name": "keycloak", "issuer": "http://127.0.0.1/realms/x", "audiences": ["x"] }],
        "clusters": [{
            "name": "main",
            "nodes": ["https://127.0.0.1:9200"],
            "identity": identity,
            "scopes": SCOPES,
        }],
        "mappings": mappings,
        "audit": { "sink": { "stdout": {} } },
    }))
    .unwrap()
}

fn only_cluster(config: &Config) -> &Cluster {
    &config.clusters[0]
}

fn key_file(name: &str, kind: KeyKind) -> PathBuf {
    let path = std::env::temp_dir().join(format!("engine-identities-{}-{name}.pem", std::process::id()));
    std::fs::write(&path, generate_key(kind).unwrap().as_bytes()).unwrap();
    path
}

fn admin(engine: &EngineInfo) -> AdminAccess {
    AdminAccess {
        url: engine.url.parse().unwrap(),
        tls: tls(engine),
        basic: Some((engine.admin_user.clone(), engine.admin_password.clone().into())),
    }
}

fn tls(engine: &EngineInfo) -> TlsOptions {
    TlsOptions { ca: Some(engine.ca.clone()), identity: None }
}

/// The credential of a caller to whom these scopes and roles allow a request.
fn credential(
    identity: &EngineIdentity,
    user: Option<&str>,
    scopes: &[&str],
    roles: &[&str],
    claims: &Value,
) -> Result<Credential, IdentityError> {
    let mut permit = Permit::default();
    permit.scopes.extend(scopes.iter().map(|&scope| scope.into()));
    permit.roles.extend(roles.iter().map(|&role| role.into()));
    identity.credential(&Caller {
        provider: "keycloak",
        user_id: user,
        client_id: Some("langchain-agent"),
        subject: "f81d4fae",
        permit: &permit,
        claims: &claims.as_object().unwrap().clone().into(),
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        token: None,
        now: SystemTime::now(),
    })
}

impl World {
    /// The engine as alice, with these scopes.
    fn alice(&self, scopes: &[&str]) -> RestClient {
        let credential = credential(&self.jwt.identity, Some("alice"), scopes, &[], &json!({})).unwrap();
        self.client(&credential)
    }

    fn client(&self, credential: &Credential) -> RestClient {
        let value = credential.headers().map(|(_, value)| value.clone()).next();
        self.engine.client_with(value).unwrap()
    }
}

async fn search(client: &RestClient, index: &str) -> (StatusCode, Option<u64>) {
    let path = format!("/{index}/_search?size=0");
    let (status, body) = client.rest(&Method::GET, &path, None).await.unwrap();
    (status, body["hits"]["total"]["value"].as_u64())
}

#[tokio::test]
async fn a_check_after_applying_finds_all_well_and_applying_again_changes_nothing() {
    let world = world().await;
    for identity in [&world.jwt, &world.headers, &world.backend_user] {
        let report = check(&identity.setup, &admin(&world.engine)).await.unwrap();
        assert!(report.is_ok(), "{report}");
        assert!(report.findings.len() > 2 * SCOPES.len());
    }
    assert_eq!(apply(&world.jwt.setup, &admin(&world.engine)).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_check_tells_a_foreign_key_from_the_proxys_own() {
    let world = world().await;
    for kind in [KeyKind::Rsa2048, KeyKind::P256] {
        let key = key_file(&format!("foreign-{kind:?}"), kind);
        let config =
            configuration(&json!({ "signed_jwt": { "private_key": key, "issuer": ISSUER } }), &json!([]));
        let setup = setup(&config, only_cluster(&config)).unwrap();
        let report = check(&setup, &admin(&world.engine)).await.unwrap();
        let open: Vec<_> = report.findings.iter().filter(|finding| !finding.is_ok()).collect();
        assert_eq!(report.exit_code(), 1);
        assert!(open[0].found.contains("signing_key: another key"), "{report}");
        assert!(open[1].found.contains("refuses the credential"), "{report}");
        assert_eq!(open.len(), 2, "{report}");
    }
}

#[tokio::test]
async fn an_administrator_who_is_none_is_told_so() {
    let world = world().await;
    for (user, password, expected) in [
        (world.engine.admin_user.as_str(), "wrong", "does not accept the administrator (401)"),
        (
            "identities_reader",
            "Reader-Pass-2026!",
            "needs a role of `plugins.security.restapi.roles_enabled`",
        ),
    ] {
        let basic = Some((user.to_owned(), password.to_owned().into()));
        let error =
            check(&world.jwt.setup, &AdminAccess { basic, ..admin(&world.engine) }).await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(expected), "{cause}");
        assert!(!cause.contains(password));
    }
}

#[tokio::test]
async fn the_engine_knows_user_and_roles_and_its_audit_log_names_the_caller() {
    let world = world().await;
    let audit = world.engine.audit().unwrap();
    let client = world.alice(&["read:identities-*"]);
    let info = client.expect(&Method::GET, "/_plugins/_security/authinfo", None).await.unwrap();
    assert_eq!(info["user_name"], "keycloak:alice");
    assert_eq!(info["backend_roles"], json!(["read:identities-*"]));
    assert!(info["roles"].as_array().unwrap().contains(&json!("oauth_read:identities-*")));

    assert_eq!(search(&client, "identities-narrow-a").await.0, StatusCode::OK);
    let record = audit
        .find(|record| {
            record["audit_request_effective_user"] == "keycloak:alice"
                && record["audit_trace_indices"] == json!(["identities-narrow-a"])
        })
        .await
        .unwrap();
    assert!(record.is_some(), "no audit record of the engine names the caller");
}

#[tokio::test]
async fn a_scope_opens_its_own_pattern_and_nothing_beside_it() {
    let world = world().await;
    for (scope, index, expected) in [
        ("read:identities-*", "identities-a", StatusCode::OK),
        ("read:identities-*", "identities-*", StatusCode::OK),
        ("read:identities-*", "unrelated-a", StatusCode::FORBIDDEN),
        ("read:identities-*", "*", StatusCode::FORBIDDEN),
        // The engine's role mappings read `read:identities-*` as a pattern, which would match this backend role, too.
        ("read:identities-narrow-*", "identities-narrow-a", StatusCode::OK),
        ("read:identities-narrow-*", "identities-a", StatusCode::FORBIDDEN),
        ("write:identities-*", "identities-a", StatusCode::FORBIDDEN),
        ("manage:identities-*", "identities-a", StatusCode::FORBIDDEN),
        ("monitor:identities-*", "identities-a", StatusCode::FORBIDDEN),
        ("admin:identities-*", "identities-a", StatusCode::OK),
        ("admin:cluster", "identities-a", StatusCode::FORBIDDEN),
        ("read:*", "*", StatusCode::OK),
        ("read:unknown-*", "identities-a", StatusCode::FORBIDDEN),
    ] {
        let (status, _) = search(&world.alice(&[scope]), index).await;
        assert_eq!(status, expected, "{scope} on {index}");
    }
}

#[tokio::test]
async fn a_write_scope_makes_daily_indices_and_new_fields_but_reads_nothing() {
    let world = world().await;
    let client = world.alice(&["write:identities-*"]);
    let index = format!("identities-{}", std::process::id());
    for (path, document) in [
        (format!("/{index}/_doc/1"), json!({ "first": 1 })),
        (format!("/{index}/_doc/2"), json!({ "first": 1, "second": "new" })),
        (format!("/{index}/_update/2"), json!({ "doc": { "third": true } })),
    ] {
        client.expect(&Method::POST, &path, Some(&document)).await.unwrap();
    }
    let line = |index: &str| format!("{{\"index\":{{\"_index\":\"{index}\"}}}}\n{{\"a\":1}}\n");
    client.bulk("/_bulk", line(&index)).await.unwrap();
    assert!(client.bulk("/_bulk", line("unrelated-a")).await.is_err());
    let (status, _) = client.rest(&Method::GET, &format!("/{index}/_doc/1"), None).await.unwrap();
    assert_eq!(status, StatusCode::FORBIDDEN);
    world.engine.client().unwrap().expect(&Method::DELETE, &format!("/{index}"), None).await.unwrap();
}

#[tokio::test]
async fn document_level_security_sees_the_callers_attribute_and_fails_closed_without_it() {
    let world = world().await;
    let tenant = async |claims: Value| {
        let identity = &world.jwt.identity;
        let credential = credential(identity, None, &[], &["tenant_logs_reader"], &claims)?;
        assert_eq!(credential.name(), "keycloak:langchain-agent");
        Ok::<_, IdentityError>(search(&world.client(&credential), "logs-tenant-2026.11.24").await)
    };
    assert_eq!(tenant(json!({ "tenant": "acme" })).await.unwrap(), (StatusCode::OK, Some(100)));
    assert_eq!(tenant(json!({ "tenant": "nobody" })).await.unwrap(), (StatusCode::OK, Some(0)));
    // OpenSearch 3 refuses; before, the query looks for the attribute's place-holder and finds nothing.
    let (status, found) = tenant(json!({})).await.unwrap();
    let closed = if world.is_before_3() {
        (status, found) == (StatusCode::OK, Some(0))
    } else {
        !status.is_success() && found.is_none()
    };
    assert!(closed, "a caller without the attribute got {status} and {found:?}");
    // Values that could change the query never leave the proxy.
    for value in ["*", "acme\"}}", "${user.name}", ""] {
        let refused = tenant(json!({ "tenant": value })).await.unwrap_err();
        assert_eq!((refused.status(), refused.reason()), (403, "attribute_unsafe"), "{value:?}");
    }
}

#[tokio::test]
async fn a_user_called_admin_at_the_provider_is_nobody_in_the_engine() {
    let world = world().await;
    for name in ["admin", "kibanaserver", "*", "CN=admin,O=testbed", "admin|all_access", "${user.roles}"] {
        let identity = &world.jwt.identity;
        let credential = credential(identity, Some(name), &["read:unknown"], &[], &json!({})).unwrap();
        let client = world.client(&credential);
        let info = client.expect(&Method::GET, "/_plugins/_security/authinfo", None).await.unwrap();
        assert_eq!(info["user_name"], credential.name());
        assert_eq!(info["backend_roles"], json!(["read:unknown"]), "{name}");
        assert_eq!(search(&client, "identities-a").await.0, StatusCode::FORBIDDEN, "{name}");
    }
}

#[tokio::test]
async fn every_operation_that_a_scope_allows_at_the_proxy_is_allowed_by_its_engine_role() {
    let world = world().await;
    let mut refused = BTreeSet::new();
    let mut tried = 0;
    for operation in rest::operations() {
        let Some(scopes) = scopes_for(operation) else { continue };
        let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
        let answer = try_operation(&world.alice(&scopes), operation).await;
        tried += 1;
        if let Answer::Forbidden(reason) = answer {
            refused.insert(format!("{} {} by {scopes:?}: {reason}", operation.method, operation.path));
        }
    }
    assert!(tried > 200, "only {tried} operations were tried");
    assert!(refused.is_empty(), "{} of {tried} refused:\n{refused:#?}", refused.len());
}

#[tokio::test]
async fn the_role_of_an_action_does_not_allow_the_operations_of_another() {
    // The engine asks for one permission in both cases, so its role for the left action allows the right operation. The
    // proxy is what keeps them apart.
    let known = BTreeSet::from(KNOWN_OVERLAP.map(str::to_owned));
    let world = world().await;
    let mut allowed = BTreeSet::new();
    let mut forbidden = 0;
    for action in [Action::Read, Action::Write, Action::Manage, Action::Monitor] {
        let client = world.alice(&[&format!("{action}:identities-*")]);
        for operation in rest::operations() {
            let by_path = operation.demands.iter().all(|demand| matches!(demand.on, Place::Path { .. }));
            if !by_path || operation.demands.iter().all(|demand| demand.action == action) {
                continue;
            }
            match try_operation(&client, operation).await {
                Answer::Forbidden(_) => forbidden += 1,
                Answer::Malformed => {}
                Answer::Allowed => {
                    allowed.insert(format!("{action}: {} {}", operation.method, operation.path));
                }
            }
        }
    }
    assert!(forbidden > 150, "only {forbidden} operations were refused");
    assert_eq!(allowed, known);
}

/// `manage` holds `indices:admin/*`, which tells of an index what it also lets change; the mapping of an index grows by
/// writing to it; a metric reader sees aliases and settings in `_cat/aliases` and `_cat/indices`.
const KNOWN_OVERLAP: [&str; 28] = [
    "manage: GET /_data_stream/{name}",
    "manage: GET /_resolve/index/{name}",
    "manage: GET /{index}",
    "manage: GET /{index}/_alias",
    "manage: GET /{index}/_alias/{name}",
    "manage: GET /{index}/_mapping",
    "manage: GET /{index}/_mapping/field/{fields}",
    "manage: GET /{index}/_mappings",
    "manage: GET /{index}/_setting/{name}",
    "manage: GET /{index}/_settings",
    "manage: GET /{index}/_settings/{name}",
    "manage: GET /{index}/_stats",
    "manage: GET /{index}/_validate/query",
    "manage: HEAD /{index}",
    "manage: HEAD /{index}/_alias",
    "manage: HEAD /{index}/_alias/{name}",
    "manage: POST /{index}/_analyze",
    "monitor: GET /{index}/_alias",
    "monitor: GET /{index}/_alias/{name}",
    "monitor: GET /{index}/_setting/{name}",
    "monitor: GET /{index}/_settings",
    "monitor: GET /{index}/_settings/{name}",
    "monitor: HEAD /{index}/_alias",
    "monitor: HEAD /{index}/_alias/{name}",
    "write: POST /{index}/_mapping",
    "write: POST /{index}/_mappings",
    "write: PUT /{index}/_mapping",
    "write: PUT /{index}/_mappings",
];

/// An index that is there if nothing can happen to it: some operations look at the index before they ask for permission,
/// and some wait for it. Else one that no test needs; permissions are judged before it is looked for.
fn harmless_index(operation: &Operation) -> &'static str {
    let reads = matches!(operation.method.as_str(), "GET" | "HEAD");
    let adds_a_field = operation.name == "indices.put_mapping";
    if adds_a_field || (reads && operation.action != Action::Manage) {
        "identities-a"
    } else {
        "identities-absent"
    }
}

/// What the engine's judgement of permissions was.
enum Answer {
    Allowed,
    Forbidden(String),
    /// The request was not understood, which comes before permissions.
    Malformed,
}

async fn try_operation(client: &RestClient, operation: &Operation) -> Answer {
    let method = Method::from_bytes(operation.method.as_str().as_bytes()).unwrap();
    let body = matches!(method, Method::POST | Method::PUT).then(|| body_of(operation.name));
    let answer = client.call(&method, &path_of(operation), body.as_ref()).await.unwrap();
    match answer.status {
        StatusCode::FORBIDDEN => {
            Answer::Forbidden(answer.body["error"]["reason"].as_str().unwrap_or_default().to_owned())
        }
        StatusCode::BAD_REQUEST => Answer::Malformed,
        _ => Answer::Allowed,
    }
}

/// The scopes that allow an operation whose targets the path tells, if trying it destroys nothing.
fn scopes_for(operation: &Operation) -> Option<BTreeSet<String>> {
    let by_path = operation.demands.iter().all(|demand| matches!(demand.on, Place::Path { .. }));
    let method = operation.method.as_str();
    if !by_path && method != "GET" && method != "HEAD" {
        return None;
    }
    let scope = |action: Action, on: &Place| match on {
        Place::Path { .. } => Some(format!("{action}:identities-*")),
        Place::All => Some(format!("{action}:*")),
        Place::Cluster => Some(format!("{action}:cluster")),
        _ => None,
    };
    operation.demands.iter().map(|demand| scope(demand.action, &demand.on)).collect()
}

/// A path of the operation.
fn path_of(operation: &Operation) -> String {
    let index = harmless_index(operation);
    let named = |segment| operation.variables.iter().find(|variable| variable.segment == segment);
    let segments = operation.path.split('/').skip(1).enumerate().map(|(segment, text)| {
        match named(segment).map(|variable| variable.kind) {
            None => text,
            Some(VariableKind::Index) => index,
            Some(VariableKind::Id | VariableKind::Name) => "x",
        }
    });
    segments.fold(String::new(), |path, segment| path + "/" + segment)
}

/// A body with which the operation gets as far as asking for permission.
fn body_of(operation: &str) -> Value {
    match operation {
        "indices.put_mapping" => json!({ "properties": { "x": { "type": "keyword" } } }),
        "indices.put_settings" => json!({ "index": { "number_of_replicas": 0 } }),
        "indices.analyze" => json!({ "text": "x" }),
        "search_template" => json!({ "source": { "query": { "match_all": {} } } }),
        "explain" => json!({ "query": { "match_all": {} } }),
        "index" | "create" => json!({ "x": "y" }),
        _ => json!({}),
    }
}

#[tokio::test]
async fn a_backend_user_has_the_rights_of_the_scopes_that_name_it() {
    let world = world().await;
    let basic = transport::basic_auth("identities_reader", "Reader-Pass-2026!");
    let client = world.engine.client_with(Some(basic)).unwrap();
    assert_eq!(search(&client, "identities-a").await.0, StatusCode::OK);
    assert_eq!(search(&client, "unrelated-a").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn proxy_headers_make_the_caller_the_engines_user() {
    let world = world().await;
    let claims = json!({ "tenant": "acme" });
    let identity = &world.headers.identity;
    let credential = credential(identity, Some("José"), &["read:identities-*"], &["sre"], &claims).unwrap();
    let client = HttpClient::new(&tls(&world.engine), None, Duration::from_secs(30), 1 << 20).unwrap();
    let authinfo = async |forwarded: bool| {
        let url = format!("{}/_plugins/_security/authinfo", world.engine.url);
        let mut request = Request::builder().uri(url).body(Bytes::new()).unwrap();
        if forwarded {
            request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("192.0.2.7"));
        }
        credential.apply(request.headers_mut());
        assert!(!request.headers().contains_key(header::AUTHORIZATION));
        client.send(request).await.unwrap()
    };
    let info: Value = authinfo(true).await.json().unwrap();
    assert_eq!(info["user_name"], "keycloak:Jos%C3%A9");
    assert_eq!(info["backend_roles"], json!(["read:identities-*", "sre"]));
    assert!(info["custom_attribute_names"].as_array().unwrap().contains(&json!("attr.proxy.tenant")));
    assert!(info["remote_address"].as_str().unwrap().contains("192.0.2.7"), "{}", info["remote_address"]);
    // Without the header that the proxy adds, the engine believes nothing.
    assert_eq!(authinfo(false).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_for_another_audience_or_issuer_is_refused() {
    let world = world().await;
    for (issuer, audience) in [("somebody-else", "opensearch"), (ISSUER, "another-engine")] {
        let key = std::env::temp_dir().join(format!("engine-identities-{}-shared.pem", std::process::id()));
        let settings = json!({ "private_key": key, "issuer": issuer, "audience": audience });
        let config = configuration(&json!({ "signed_jwt": settings }), &json!([]));
        let identity = EngineIdentity::from_config(&only_cluster(&config).identity).unwrap();
        let credential = credential(&identity, Some("alice"), &["read:*"], &[], &json!({})).unwrap();
        let (status, _) = search(&world.client(&credential), "identities-a").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{issuer} {audience}");
    }
}
