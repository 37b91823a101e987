//! OpenSearch Dashboards behind the proxy: where it is, what reaches it, who may do what there. Against a stand-in
//! Dashboards that asks a stand-in engine; `real_dashboards.rs` has the real engine.

use bytes::Bytes;
use e2e::{
    Client, DashboardsOptions, ProxyFiles, Reply, RunningProxy, StandInDashboards, StandInEngine,
    StandInProvider, stand_in_config,
};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

struct World {
    provider: StandInProvider,
    engine: StandInEngine,
    dashboards: StandInDashboards,
    proxy: RunningProxy,
}

impl World {
    /// Dashboards on the paths of the cluster.
    async fn start() -> Self {
        Self::with("", "", "").await
    }

    /// `cluster` are lines of the cluster, `dashboards` of its Dashboards, which has this `server.basePath`.
    async fn with(cluster: &str, dashboards: &str, base_path: &str) -> Self {
        let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
        let mut options = DashboardsOptions::new(engine.url());
        base_path.clone_into(&mut options.base_path);
        let server = StandInDashboards::start(options).await;
        let files = ProxyFiles::new();
        let config = format!(
            "{base}{cluster}    dashboards:\n      nodes: [{url}]\n{dashboards}",
            base = stand_in_config(&files, &provider, &[&engine.url()]),
            url = server.url(),
        );
        let proxy = RunningProxy::start(files, &config).await;
        Self { provider, engine, dashboards: server, proxy }
    }

    fn client(&self, scope: &str) -> Client {
        self.anonymous().with_token(self.provider.token(scope))
    }

    fn anonymous(&self) -> Client {
        Client::new(self.proxy.address, &self.proxy.ca())
    }

    /// Requests that were for the engine itself, not asked by Dashboards for who the caller is.
    fn at_engine(&self) -> Vec<String> {
        let seen = self.engine.seen().into_iter();
        seen.map(|seen| seen.target).filter(|target| !target.ends_with("/authinfo")).collect()
    }

    fn at_dashboards(&self) -> Vec<String> {
        self.dashboards.seen().into_iter().map(|seen| seen.target).collect()
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");
const XSRF: (&str, &str) = ("osd-xsrf", "true");

async fn post(client: &Client, path: &str, body: &serde_json::Value) -> Reply {
    client.send(Method::POST, path, &[JSON, XSRF], Bytes::from(body.to_string())).await
}

/// A file of saved objects as `curl -F file=@export.ndjson` sends it.
async fn import(client: &Client, path: &str, objects: &[serde_json::Value]) -> Reply {
    let lines: Vec<String> = objects.iter().map(ToString::to_string).collect();
    let body = format!(
        "--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"export.ndjson\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n{}\n\r\n--XyZ--\r\n",
        lines.join("\n")
    );
    let headers = [("content-type", "multipart/form-data; boundary=XyZ"), XSRF];
    client.send(Method::POST, path, &headers, Bytes::from(body)).await
}

fn dashboard(id: &str) -> serde_json::Value {
    json!({"type": "dashboard", "id": id, "attributes": {"title": id}, "references": []})
}

#[tokio::test]
async fn on_the_paths_of_the_cluster_the_first_segment_decides() {
    let world = World::start().await;
    let client = world.client("read:dashboards monitor:dashboards read:logs-*");
    for path in ["/api/status", "/w/team-a/api/saved_objects/_find?type=dashboard", "/app/home"] {
        let reply = client.get(path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        assert_eq!(world.dashboards.last().target, path);
    }
    assert!(world.at_engine().iter().all(|target| target.starts_with("/.kibana/")), "as the caller");
    let reply = client.get("/logs-a/_search").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(world.at_engine().pop().unwrap(), "/logs-a/_search");
    assert_eq!(world.at_dashboards().len(), 3, "that was for the engine alone");
}

#[tokio::test]
async fn under_a_base_path_of_its_own_which_is_kept() {
    let world = World::with("", "      base_path: /osd\n", "/osd").await;
    let client = world.client("read:dashboards monitor:dashboards");
    for (path, reached) in [
        ("/osd/api/status", "/osd/api/status"),
        ("/osd/api/saved_objects/_find?type=dashboard", "/osd/api/saved_objects/_find?type=dashboard"),
        ("/osd/w/team-a/app/home", "/osd/w/team-a/app/home"),
    ] {
        assert_eq!(client.get(path).await.status, StatusCode::OK, "{path}");
        assert_eq!(world.dashboards.last().target, reached);
    }
    let reply = client.get("/osd").await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::FOUND, "/osd/app/home"));
    assert_eq!(world.dashboards.last().target, "/osd/");
    let metadata = client.get("/.well-known/oauth-protected-resource/osd").await;
    assert_eq!(metadata.json()["resource"], "https://localhost:8443/osd", "{}", metadata.text());
    // What only looks like it is the engine's, where such names are refused or outside of the scope.
    let before = world.at_dashboards().len();
    for path in ["/osdx/api/status", "/%6fsd/api/status", "/OSD/api/status", "//osd/api/status"] {
        assert!(client.get(path).await.status.is_client_error(), "{path}");
    }
    assert_eq!(world.at_dashboards().len(), before);
}

#[tokio::test]
async fn under_a_prefix_that_is_removed() {
    let world = World::with("", "      path_prefix: /tools/osd\n", "").await;
    let reply = world.client("monitor:dashboards").get("/tools/osd/api/status").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(world.dashboards.last().target, "/api/status");
}

#[tokio::test]
async fn at_a_host_of_its_own() {
    let world = World::with("", "      hosts: [dashboards.example.org]\n", "").await;
    let engine = world.client("monitor:dashboards read:*");
    let dashboards = engine.clone().with_host("dashboards.example.org");
    assert_eq!(dashboards.get("/api/status").await.status, StatusCode::OK);
    assert_eq!(world.dashboards.last().target, "/api/status");
    // There, nothing is for the engine; elsewhere, nothing for Dashboards.
    let reply = dashboards.get("/logs-a/_search").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(engine.get("/api/_search").await.status, StatusCode::OK);
    assert_eq!(world.at_engine(), ["/api/_search"], "an index may have this name then");
    // A resource of its own has metadata of its own (RFC 9728).
    let reply = dashboards.get("/.well-known/oauth-protected-resource").await;
    assert_eq!(reply.json()["resource"], "https://dashboards.example.org:8443");
    let challenge = world.anonymous().with_host("dashboards.example.org").get("/api/status").await;
    let named =
        "resource_metadata=\"https://dashboards.example.org:8443/.well-known/oauth-protected-resource\"";
    assert!(challenge.header("www-authenticate").contains(named), "{:?}", challenge.headers);
}

#[tokio::test]
async fn it_hears_of_the_caller_from_the_proxy_alone() {
    let world = World::start().await;
    let token = world.provider.token("monitor:dashboards");
    let client = world.anonymous().with_token(&token);
    // A first request, so that Dashboards has a session that could be abused.
    let reply = client.get("/api/status").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(!reply.headers.contains_key("set-cookie"), "the session stays behind the proxy");
    let session = world.dashboards.a_session().unwrap();

    let headers = [
        ("cookie", session.as_str()),
        ("securitytenant", "secret"),
        ("x-proxy-user", "admin"),
        ("x-proxy-roles", "all_access"),
        ("x-forwarded-for", "10.0.0.1"),
        ("osd-version", "3.4.0"),
    ];
    let reply = client.send(Method::GET, "/api/status", &headers, Bytes::new()).await;
    assert_eq!(reply.status, StatusCode::OK);
    let seen = world.dashboards.last();
    for gone in ["cookie", "securitytenant", "x-proxy-user", "x-proxy-roles"] {
        assert!(!seen.headers.contains_key(gone), "{gone} reached Dashboards");
    }
    let values = |name: &str| seen.headers.get_all(name).iter().cloned().collect::<Vec<_>>();
    assert_eq!(values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(values("osd-version"), ["3.4.0"], "what its clients need passes");
    let [authorization] = &values("authorization")[..] else { panic!("not one Authorization") };
    let authorization = authorization.to_str().unwrap();
    assert!(authorization.starts_with("Bearer ") && !authorization.contains(&token));
    assert_eq!(world.engine.last().headers["authorization"], authorization, "and the engine judges it");

    // The cookie alone is no credential, and does not even reach Dashboards.
    let before = world.at_dashboards().len();
    let reply = world.anonymous().send(Method::GET, "/api/status", &headers, Bytes::new()).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.at_dashboards().len(), before);
}

#[tokio::test]
async fn with_proxy_headers_it_gets_those() {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let options = DashboardsOptions::new(engine.url());
    // One is set up for such headers, the other knows of an Authorization header only.
    let right = StandInDashboards::start(options.clone().with_proxy_authentication()).await;
    let wrong = StandInDashboards::start(options).await;
    for (dashboards, fits) in [(&right, true), (&wrong, false)] {
        let files = ProxyFiles::new();
        let config = stand_in_config(&files, &provider, &[&engine.url()]);
        let identity = "identity: {signed_jwt: {private_key: signing.pem}}";
        let config = config.replace(identity, "identity: {proxy_headers: {}}");
        let config = format!("{config}    dashboards:\n      nodes: [{}]\n", dashboards.url());
        let proxy = RunningProxy::start(files, &config).await;
        let client = Client::new(proxy.address, &proxy.ca()).with_token(provider.token("monitor:dashboards"));
        let forged = [("x-proxy-user", "admin"), ("x-proxy-roles", "all_access")];
        let reply = client.send(Method::GET, "/api/status", &forged, Bytes::new()).await;
        let seen = dashboards.last();
        for (name, value) in [
            ("x-proxy-user", "stand-in:tester-subject"),
            ("x-proxy-roles", "monitor:dashboards"),
            ("x-forwarded-for", "127.0.0.1"),
        ] {
            let values: Vec<_> = seen.headers.get_all(name).iter().collect();
            assert_eq!(values, [value], "{name}");
        }
        if fits {
            assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
            assert_eq!(
                engine.last().headers["x-proxy-user"],
                "stand-in:tester-subject",
                "the engine judges it"
            );
        } else {
            assert_eq!(reply.status, StatusCode::BAD_GATEWAY);
            assert_eq!(attribute(&reply, "code"), "dashboards_refused_identity");
        }
    }
}

fn attribute(reply: &Reply, name: &str) -> String {
    reply.json()["attributes"][name].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn who_may_do_what() {
    let world = World::start().await;
    let read = "/api/saved_objects/dashboard/d1";
    let refused = |reply: Reply, scope: &str, what: &str| {
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{what}: {}", reply.text());
        assert_eq!(attribute(&reply, "needed_scope"), scope, "{what}");
        assert_eq!(attribute(&reply, "code"), "insufficient_scope", "{what}");
    };
    let reader = world.client("read:dashboards");
    assert_eq!(reader.get(read).await.status, StatusCode::OK);
    assert_eq!(
        reader.get("/api/saved_objects/_find?type=dashboard&type=search").await.status,
        StatusCode::OK
    );
    let writing = [
        post(&reader, "/api/saved_objects/dashboard/d1", &json!({"attributes": {}})).await,
        post(&reader, "/api/saved_objects/_bulk_create", &json!([dashboard("d1")])).await,
        import(&reader, "/api/saved_objects/_import", &[dashboard("d1")]).await,
    ];
    for reply in writing {
        refused(reply, "write:dashboards", "reading does not write");
    }
    let writer = world.client("write:dashboards");
    refused(writer.get(read).await, "read:dashboards", "writing does not read");
    let before = world.at_dashboards().len();
    let written = [
        post(&writer, "/api/saved_objects/dashboard/d1", &json!({"attributes": {}})).await,
        post(&writer, "/api/saved_objects/_bulk_create", &json!([dashboard("d1")])).await,
        import(&writer, "/api/saved_objects/_import?overwrite=true", &[dashboard("d1"), dashboard("d2")])
            .await,
    ];
    for reply in &written {
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    }
    assert_eq!(written[2].json(), json!({"success": true, "successCount": 2}));
    assert_eq!(world.at_dashboards().len(), before + 3);
    // Scopes for indices say nothing about Dashboards, whatever they cover.
    refused(world.client("read:*").get(read).await, "read:dashboards", "indices");

    // A workspace is one in the path only.
    let team = world.client("read:dashboards/team-a write:dashboards/team-a");
    let own = "/w/team-a/api/saved_objects/_find?type=dashboard&workspaces=team-a";
    assert_eq!(team.get(own).await.status, StatusCode::OK);
    let reply = import(&team, "/w/team-a/api/saved_objects/_import", &[dashboard("d1")]).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    refused(team.get(read).await, "read:dashboards", "no workspace");
    let other = "/w/team-a/api/saved_objects/_find?type=dashboard&workspaces=team-b";
    refused(team.get(other).await, "read:dashboards/team-b", "another workspace");
    let reply = import(&team, "/w/team-b/api/saved_objects/_import", &[dashboard("d1")]).await;
    refused(reply, "write:dashboards/team-b", "another workspace");
    // By its id an object is reached from every workspace.
    let by_id = "/w/team-a/api/saved_objects/dashboard/d1";
    refused(team.get(by_id).await, "read:dashboards", "an id");
    assert_eq!(reader.get(other).await.status, StatusCode::OK, "everywhere");
}

#[tokio::test]
async fn an_import_is_judged_by_the_types_in_its_file() {
    let world = World::start().await;
    let writer = world.client("write:dashboards");
    let source =
        json!({"type": "data-source", "id": "s", "attributes": {"endpoint": "http://169.254.169.254"}});
    let reply = import(&writer, "/api/saved_objects/_import", &[dashboard("d1"), source]).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text());
    assert_eq!(attribute(&reply, "code"), "insufficient_scope");
    assert!(world.dashboards.seen().iter().all(|seen| !seen.whole), "nothing of it took effect");
    let record = world.proxy.last_audit().await;
    assert_eq!((record["decision"].as_str(), record["layer"].as_str()), (Some("deny"), Some("scope")));
}

#[tokio::test]
async fn what_is_the_engine_in_disguise_is_judged_as_the_engine() {
    let world = World::start().await;
    let search = "/api/console/proxy?path=%2Flogs-a%2F_search&method=GET";
    // No scope for Dashboards opens an index.
    let all = "read:dashboards write:dashboards manage:dashboards admin:dashboards";
    let reply = post(&world.client(all), search, &json!({})).await;
    assert_eq!(
        (reply.status, attribute(&reply, "needed_scope").as_str()),
        (StatusCode::FORBIDDEN, "read:logs-a")
    );
    let reply = post(
        &world.client(all),
        "/internal/search/opensearch",
        &json!({"params": {"index": "logs-a", "body": {"query": {"match_all": {}}}}}),
    )
    .await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text());

    let reader = world.client("read:dashboards read:logs-*");
    let reply = post(&reader, search, &json!({"query": {"match_all": {}}})).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(world.at_engine(), ["/logs-a/_search"]);
    let reply = post(
        &reader,
        "/internal/search/opensearch",
        &json!({"params": {"index": "logs-a", "body": {"query": {"match_all": {}}}}}),
    )
    .await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let record = world.proxy.last_audit().await;
    assert!(record["targets"].as_array().unwrap().contains(&json!("logs-a")), "{record}");

    for (path, body) in [
        ("/api/console/proxy?path=%2Flogs-a&method=DELETE", json!({})),
        ("/api/console/proxy?path=%2Flogs-a%2F_search%3Fq%3Da&method=GET&path=x", json!({})),
        ("/api/console/proxy?path=%2Fsecret%2F_search&method=GET", json!({})),
        (search, json!({"query": {"terms": {"user": {"index": "secret", "id": "1", "path": "ids"}}}})),
        ("/internal/search/opensearch", json!({"params": {"index": "secret", "body": {}}})),
        ("/internal/search/opensearch", json!({"params": {"index": ["logs-a", "secret"], "body": {}}})),
        ("/internal/search/opensearch", json!({"params": {"body": {}}})),
    ] {
        let before = world.at_engine().len();
        let reply = post(&reader, path, &body).await;
        assert!(reply.status.is_client_error(), "{path} {body}: {}", reply.text());
        assert_eq!(world.at_engine().len(), before, "{path} {body}");
    }
}

#[tokio::test]
async fn unsafe_methods_need_the_header_that_browsers_cannot_forge() {
    let world = World::start().await;
    let path = "/api/saved_objects/dashboard/d1";
    let send = async |client: Client, headers: &[(&str, &str)]| {
        client.send(Method::POST, path, headers, Bytes::from_static(b"{\"attributes\":{}}")).await
    };
    let reply = send(world.client("write:dashboards"), &[JSON]).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.json()["message"], "Request must contain a osd-xsrf header.");
    assert_eq!(attribute(&reply, "code"), "xsrf_missing");
    assert!(world.at_dashboards().is_empty());
    // After authentication, as in Dashboards, and whatever else is wrong comes first.
    assert_eq!(send(world.anonymous(), &[JSON]).await.status, StatusCode::UNAUTHORIZED);
    for header in [XSRF, ("osd-version", "3.4.0")] {
        let reply = send(world.client("write:dashboards"), &[JSON, header]).await;
        assert_eq!(reply.status, StatusCode::OK, "{header:?}: {}", reply.text());
    }
    // A version that is not the server's is for the server to refuse.
    let reply = send(world.client("write:dashboards"), &[JSON, ("osd-version", "1.0.0")]).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.header("osd-name"), "stand-in");
    assert_eq!(world.client("read:dashboards").get(path).await.status, StatusCode::OK, "reading needs none");
}

#[tokio::test]
async fn refusals_have_the_form_of_dashboards() {
    let world = World::start().await;
    let reply = world.anonymous().get("/api/status").await;
    let body = reply.json();
    assert_eq!((reply.status, &body["statusCode"]), (StatusCode::UNAUTHORIZED, &json!(401)));
    assert_eq!(body["error"], "Unauthorized");
    assert!(body["message"].is_string(), "{body}");
    let challenge = reply.header("www-authenticate");
    assert!(challenge.starts_with("Bearer ") && challenge.contains("resource_metadata="), "{challenge}");

    let reply = world.client("read:logs-*").get("/api/saved_objects/_find?type=dashboard").await;
    let body = reply.json();
    assert_eq!((&body["statusCode"], &body["error"]), (&json!(403), &json!("Forbidden")));
    assert!(body["message"].as_str().unwrap().contains("read:dashboards"), "{body}");
    assert_eq!(attribute(&reply, "layer"), "scope");
    assert_eq!(attribute(&reply, "decision_id"), reply.header("x-decision-id"));
    assert!(reply.header("www-authenticate").contains("scope=\"read:dashboards\""));

    // Known callers are told that a route is not known.
    let reply = world.client("admin:dashboards").get("/api/no_such_thing").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(attribute(&reply, "code"), "unknown_operation");
    assert!(world.at_dashboards().is_empty());
}

#[tokio::test]
async fn records_say_that_it_was_dashboards() {
    let world = World::start().await;
    world
        .client("read:dashboards/team-a")
        .get("/w/team-a/api/saved_objects/_find?type=search&workspaces=team-a")
        .await;
    let record = world.proxy.last_audit().await;
    assert_eq!(record["upstream"], "dashboards", "{record}");
    assert_eq!(record["cluster"], "main");
    assert_eq!(record["action"], "read");
    assert!(record["operation"].as_str().unwrap().starts_with("dashboards."), "{record}");
    assert_eq!(record["targets"], json!(["dashboards/team-a", "dashboards/team-a:search"]));
    assert_eq!(record["permitted_by"], json!(["read:dashboards/team-a"]));
    assert_eq!(record["node"], world.dashboards.address().to_string());
    world.client("read:logs-*").get("/logs-a/_search").await;
    assert_eq!(world.proxy.last_audit().await["upstream"], "engine");
}

#[tokio::test]
async fn the_tenant_is_chosen_by_whom_the_configuration_says() {
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Result<Option<&'a str>, &'a str>);
    let choice = "      tenant: {choice: {allowed: [analysts, global]}}\n";
    let claim = "      tenant: {claim: {path: org.tenant}}\n";
    let mapping = "      tenant: {mapping: {}}\n";
    let cases: [Case<'_>; 12] = [
        ("", &[], Ok(None)),
        ("", &[("securitytenant", "secret")], Ok(None)),
        ("      tenant: {fixed: {name: analysts}}\n", &[("securitytenant", "secret")], Ok(Some("analysts"))),
        (choice, &[], Ok(Some("analysts"))),
        (choice, &[("securitytenant", "global")], Ok(Some("global"))),
        (choice, &[("security_tenant", "global")], Ok(Some("analysts"))),
        (choice, &[("securitytenant", "secret")], Err("tenant_not_allowed")),
        (choice, &[("securitytenant", "global"), ("securitytenant", "analysts")], Err("tenant_not_allowed")),
        (claim, &[("securitytenant", "secret")], Ok(Some("acme"))),
        ("      tenant: {claim: {path: nowhere}}\n", &[], Err("tenant_not_known")),
        (mapping, &[("securitytenant", "secret")], Err("tenant_not_known")),
        ("      tenant: {mapping: {otherwise: global}}\n", &[], Ok(Some("global"))),
    ];
    for (policy, headers, expected) in cases {
        let world = World::with("", policy, "").await;
        let token = world.provider.build_token();
        let token = token.claim("scope", "monitor:dashboards").claim("org", json!({"tenant": "acme"})).sign();
        let client = world.anonymous().with_token(token);
        let reply = client.send(Method::GET, "/api/status", headers, Bytes::new()).await;
        match expected {
            Ok(tenant) => {
                assert_eq!(reply.status, StatusCode::OK, "{policy} {headers:?}: {}", reply.text());
                let seen = world.dashboards.last();
                let values: Vec<&HeaderValue> = seen.headers.get_all("securitytenant").iter().collect();
                assert_eq!(values, tenant.into_iter().collect::<Vec<_>>(), "{policy} {headers:?}");
                assert!(!seen.headers.contains_key("security_tenant"));
            }
            Err(code) => {
                assert_eq!(reply.status, StatusCode::FORBIDDEN, "{policy} {headers:?}");
                assert_eq!(attribute(&reply, "code"), code);
                assert!(world.at_dashboards().is_empty());
            }
        }
        // The names that Dashboards prefers to the header are refused wherever they stand.
        for query in ["securitytenant=x", "security_tenant=x", "securityTenant_=x", "securitytenan%74=x"] {
            let before = world.at_dashboards().len();
            let reply = client.get(&format!("/api/status?{query}")).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}: {}", reply.text());
            assert_eq!(world.at_dashboards().len(), before, "{query}");
        }
    }
}

#[tokio::test]
async fn the_tenant_of_a_mapping_goes_with_the_scope_that_it_grants() {
    let mappings = "\
mappings:
  - scope: look
    grant: {scopes: [\"read:dashboards\"], tenant: analysts}
  - scope: deploy
    grant: {scopes: [\"write:dashboards\"], tenant: board}
";
    let world = World::with("", &format!("      tenant: {{mapping: {{}}}}\n{mappings}"), "").await;
    let client = world.client("look deploy");
    let path = "/api/saved_objects/dashboard/d1";
    assert_eq!(client.get(path).await.status, StatusCode::OK);
    assert_eq!(world.dashboards.last().headers["securitytenant"], "analysts");
    assert_eq!(post(&client, path, &json!({"attributes": {}})).await.status, StatusCode::OK);
    assert_eq!(world.dashboards.last().headers["securitytenant"], "board");
}

#[tokio::test]
async fn a_server_that_is_away_or_refuses_the_proxy_is_the_operators_matter() {
    let world = World::start().await;
    let client = world.client("monitor:dashboards read:logs-*");
    world.engine.answer("/_plugins/_security/authinfo", |_| {
        let mut response = Response::new(Full::from("Unauthorized"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
    });
    let reply = client.get("/api/status").await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY, "a 401 would make the client renew its token for ever");
    assert_eq!(attribute(&reply, "code"), "dashboards_refused_identity");
    let World { dashboards, proxy, .. } = &world;
    let metric = format!("node_healthy{{cluster=\"main\",node=\"{}\"}}", dashboards.address());
    assert_eq!(proxy.metric(&metric).await, Some(1.0));
    drop(world.dashboards);
    let reply = client.get("/api/status").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.text());
    assert_eq!(attribute(&reply, "code"), "engine_unreachable");
    assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK, "the engine is not concerned");
}

#[tokio::test]
async fn without_reading_bodies_an_import_needs_all_that_a_file_can_hold() {
    let world = World::with("    read_bodies: false\n", "", "").await;
    let reply =
        import(&world.client("write:dashboards"), "/api/saved_objects/_import", &[dashboard("a")]).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text());
    assert_eq!(world.client("monitor:dashboards").get("/api/status").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_cluster_without_dashboards_serves_none() {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let files = ProxyFiles::new();
    let config = stand_in_config(&files, &provider, &[&engine.url()]);
    let proxy = RunningProxy::start(files, &config).await;
    let client = Client::new(proxy.address, &proxy.ca()).with_token(provider.token("admin:dashboards"));
    for path in ["/api/status", "/app/home", "/w/team-a/api/status", "/api/saved_objects/_find"] {
        assert!(client.get(path).await.status.is_client_error(), "{path}");
    }
    assert!(engine.seen().is_empty());
}
