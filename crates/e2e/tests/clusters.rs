//! Several clusters behind one proxy: who is addressed, what engine gets what, and which token counts where.

use bytes::Bytes;
use e2e::{Client, ProxyFiles, Reply, RunningProxy, StandInEngine, StandInProvider, raw};
use http::{Method, StatusCode};
use serde_json::json;

struct World {
    provider: StandInProvider,
    proxy: RunningProxy,
    prod: StandInEngine,
    test: StandInEngine,
    eu: StandInEngine,
}

impl World {
    /// `prod` and `test` by path, on any host; `eu` by host names.
    async fn start() -> Self {
        let provider = StandInProvider::start().await;
        let (prod, test, eu) =
            (StandInEngine::start().await, StandInEngine::start().await, StandInEngine::start().await);
        let files = ProxyFiles::new();
        let config = format!(
            "\
{base}providers:
  - name: stand-in
    issuer: {issuer}
    audiences: [prod-api, test-api, eu-api]
clusters:
  - name: prod
    path_prefix: /prod
    audience: prod-api
    nodes: [{prod}]
    identity: {{signed_jwt: {{private_key: signing.pem}}}}
    scopes: [\"read:logs-*\"]
  - name: test
    path_prefix: /prod/test
    audience: test-api
    nodes: [{test}]
    identity: {{signed_jwt: {{private_key: signing.pem}}}}
  - name: eu
    hosts: [eu.example.org, Search.EU.example.org]
    audience: eu-api
    nodes: [{eu}]
    identity: {{signed_jwt: {{private_key: signing.pem}}}}
",
            base = files.base_config(),
            issuer = provider.issuer(),
            prod = prod.url(),
            test = test.url(),
            eu = eu.url(),
        );
        let proxy = RunningProxy::start(files, &config).await;
        Self { provider, proxy, prod, test, eu }
    }

    fn token(&self, audience: &str, scope: &str) -> String {
        self.provider.build_token().claim("aud", audience).claim("scope", scope).sign()
    }

    fn client(&self, audience: &str, scope: &str) -> Client {
        self.anonymous().with_token(self.token(audience, scope))
    }

    fn anonymous(&self) -> Client {
        Client::new(self.proxy.address, &self.proxy.ca())
    }

    fn seen(&self) -> [usize; 3] {
        [&self.prod, &self.test, &self.eu].map(|engine| engine.seen().len())
    }
}

#[tokio::test]
async fn host_and_path_choose_the_cluster_and_the_prefix_stays_here() {
    let world = World::start().await;
    let all = "prod/read:logs-* test/read:logs-* eu/read:logs-*";
    let client = world.client("prod-api", all);
    // Host, target; which engine gets which target.
    let table = [
        ("localhost", "/prod/logs-a/_search?q=a%20b", 0, "/logs-a/_search?q=a%20b"),
        ("localhost:8443", "/prod/logs-a/_search", 0, "/logs-a/_search"),
        ("other.example.org", "/prod/logs-a/_search", 0, "/logs-a/_search"),
        // The longer prefix counts.
        ("localhost", "/prod/test/logs-a/_search", 1, "/logs-a/_search"),
        ("eu.example.org", "/logs-a/_search", 2, "/logs-a/_search"),
        ("eu.example.org:8443", "/logs-a/_search", 2, "/logs-a/_search"),
        ("EU.Example.ORG", "/logs-a/_search", 2, "/logs-a/_search"),
        ("search.eu.example.org", "/logs-a/_search", 2, "/logs-a/_search"),
        ("localhost", "/prod", 0, "/"),
        ("localhost", "/prod/", 0, "/"),
        ("localhost", "/prod?pretty", 0, "/?pretty"),
    ];
    for (host, target, engine, forwarded) in table {
        let before = world.seen();
        let http2 =
            Client::http2(world.proxy.address, &world.proxy.ca()).with_token(world.token("prod-api", all));
        for client in [client.clone().with_host(host), http2.with_host(host)] {
            let reply = client.get(target).await;
            assert_eq!(reply.status, StatusCode::OK, "{host} {target}: {}", reply.text());
        }
        let mut expected = before;
        expected[engine] += 2;
        assert_eq!(world.seen(), expected, "{host} {target}");
        let last = [&world.prod, &world.test, &world.eu][engine].last();
        assert_eq!(last.target, forwarded, "{host} {target}");
        let record = world.proxy.last_audit().await;
        assert_eq!(record["cluster"], ["prod", "test", "eu"][engine]);
        assert_eq!(record["path"], target.split('?').next().unwrap(), "the path as it was received");
    }
}

#[tokio::test]
async fn what_no_cluster_serves_is_not_found_whoever_asks() {
    let world = World::start().await;
    let client = world.client("prod-api", "prod/read:* test/read:* eu/read:*");
    let table = [
        ("localhost", "/"),
        ("localhost", "/logs-a/_search"),
        ("localhost", "/prodx/_search"),
        ("localhost", "/pro/_search"),
        ("localhost", "/PROD/logs-a/_search"),
        ("localhost", "/%70rod/logs-a/_search"),
        ("localhost", "/%2Fprod/logs-a/_search"),
        ("localhost", "/prod%2Flogs-a/_search"),
        ("localhost", "//prod/logs-a/_search"),
        ("localhost", "/./prod/logs-a/_search"),
        ("localhost", "/x/../prod/logs-a/_search"),
        ("localhost", "/prod;x/logs-a/_search"),
        ("localhost", "/_search?x=/prod/"),
        ("xeu.example.org", "/logs-a/_search"),
        ("eu.example.org.evil.example", "/logs-a/_search"),
        ("eu.example.org.", "/logs-a/_search"),
    ];
    for (host, target) in table {
        for client in [client.clone().with_host(host), world.anonymous().with_host(host)] {
            let reply = client.get(target).await;
            let told = (reply.status, reply.code());
            assert_eq!(told, (StatusCode::NOT_FOUND, "unknown_cluster".to_owned()), "{host} {target}");
        }
    }
    assert_eq!(world.seen(), [0; 3]);
}

#[tokio::test]
async fn a_prefix_cannot_be_climbed_out_of() {
    let world = World::start().await;
    let client = world.client("prod-api", "prod/read:* test/read:* eu/read:* prod/admin:*");
    for target in [
        "/prod//logs-a/_search",
        "/prod/../logs-a/_search",
        "/prod/./logs-a/_search",
        "/prod/%2e%2e/logs-a/_search",
        "/prod/logs-a/../../prod/test/logs-a/_search",
        "/prod/x/../test/logs-a/_search",
        "/prod/%74est/_search/",
        "/prod/logs-a%2F..%2F..%2Fx/_search",
        "/prod/test/../logs-a/_search",
        "/prod/test//logs-a/_search",
    ] {
        let reply = client.get(target).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::BAD_REQUEST, "path_not_canonical"),
            "{target}"
        );
    }
    // `testx` is an index of `prod` and nothing of `test`.
    assert_eq!(client.get("/prod/testx/_search").await.status, StatusCode::OK);
    assert_eq!(world.seen(), [1, 0, 0]);
    assert_eq!(world.prod.last().target, "/testx/_search");
}

async fn search(world: &World, client: &Client, cluster: &str) -> Reply {
    match cluster {
        "prod" => client.get("/prod/logs-a/_search").await,
        "test" => client.get("/prod/test/logs-a/_search").await,
        "eu" => client.clone().with_host("eu.example.org").get("/logs-a/_search").await,
        other => unreachable!("{other} {:?}", world.seen()),
    }
}

#[tokio::test]
async fn a_token_counts_where_its_audience_or_its_scopes_say_so() {
    let world = World::start().await;
    let table: [(&str, &str, &[&str]); 9] = [
        ("prod-api", "read:logs-*", &["prod"]),
        ("test-api", "read:logs-*", &["test"]),
        ("eu-api", "read:logs-*", &["eu"]),
        // A scope that names its cluster counts there, whatever the audience.
        ("prod-api", "eu/read:logs-*", &["eu"]),
        ("prod-api", "prod/read:logs-*", &["prod"]),
        ("prod-api", "read:logs-* test/read:logs-*", &["prod", "test"]),
        ("prod-api", "prod/read:metrics-* eu/read:logs-b", &[]),
        ("prod-api", "PROD/read:logs-* nowhere/read:logs-*", &[]),
        ("prod-api", "", &[]),
    ];
    for (audience, scope, good) in table {
        let client = world.client(audience, scope);
        for cluster in ["prod", "test", "eu"] {
            let reply = search(&world, &client, cluster).await;
            if good.contains(&cluster) {
                assert_eq!(
                    reply.status,
                    StatusCode::OK,
                    "{audience} `{scope}` on {cluster}: {}",
                    reply.text()
                );
                continue;
            }
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{audience} `{scope}` on {cluster}");
            assert_eq!(reply.code(), "insufficient_scope");
        }
    }
    // Both audiences in one token: both clusters.
    let token = world
        .provider
        .build_token()
        .claim("aud", json!(["prod-api", "eu-api"]))
        .claim("scope", "read:logs-*");
    let client = world.anonymous().with_token(token.sign());
    for (cluster, status) in
        [("prod", StatusCode::OK), ("eu", StatusCode::OK), ("test", StatusCode::FORBIDDEN)]
    {
        assert_eq!(search(&world, &client, cluster).await.status, status, "{cluster}");
    }
}

#[tokio::test]
async fn the_scope_that_a_refusal_names_helps_on_that_cluster() {
    let world = World::start().await;
    let refused = search(&world, &world.client("prod-api", "read:logs-*"), "eu").await;
    let needed = refused.json()["error"]["needed_scope"].as_str().unwrap().to_owned();
    assert_eq!(needed, "eu/read:logs-a", "unprefixed it would not count for this audience");
    let reply = search(&world, &world.client("prod-api", &needed), "eu").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
}

#[tokio::test]
async fn each_cluster_describes_itself() {
    let world = World::start().await;
    let at = |host: &'static str, path: &'static str| {
        let client = world.anonymous().with_host(host);
        async move { client.get(path).await }
    };
    let table = [
        ("localhost", "/.well-known/oauth-protected-resource/prod", "prod", "https://localhost:8443/prod"),
        (
            "localhost",
            "/.well-known/oauth-protected-resource/prod/test",
            "test",
            "https://localhost:8443/prod/test",
        ),
        ("eu.example.org", "/.well-known/oauth-protected-resource", "eu", "https://eu.example.org:8443/"),
    ];
    for (host, path, name, resource) in table {
        let reply = at(host, path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert_eq!(reply.header("content-type"), "application/json");
        let document = reply.json();
        assert_eq!(document["resource_name"], name);
        assert_eq!(
            document["resource"].as_str().unwrap().trim_end_matches('/'),
            resource.trim_end_matches('/')
        );
        assert_eq!(document["authorization_servers"], json!([world.provider.issuer()]));
        assert_eq!(document["bearer_methods_supported"], json!(["header"]));
    }
    let prod = at("localhost", "/.well-known/oauth-protected-resource/prod").await;
    assert_eq!(prod.json()["scopes_supported"], json!(["read:logs-*"]));
    for (host, path) in [
        ("localhost", "/.well-known/oauth-protected-resource"),
        ("localhost", "/.well-known/oauth-protected-resource/prodx"),
        ("localhost", "/.well-known/oauth-protected-resource/prod/logs-a"),
        ("localhost", "/.well-known/oauth-protected-resource/../prod"),
    ] {
        assert_eq!(at(host, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let reply = world.anonymous().get_or(Method::POST, "/.well-known/oauth-protected-resource/prod").await;
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);

    // The challenge leads to the document of the cluster that was asked.
    for (cluster, url) in [
        ("prod", "https://localhost:8443/.well-known/oauth-protected-resource/prod"),
        ("test", "https://localhost:8443/.well-known/oauth-protected-resource/prod/test"),
        ("eu", "https://eu.example.org:8443/.well-known/oauth-protected-resource"),
    ] {
        let challenge =
            search(&world, &world.anonymous(), cluster).await.header("www-authenticate").to_owned();
        assert!(challenge.contains(&format!("resource_metadata=\"{url}\"")), "{challenge}");
    }
}

#[tokio::test]
async fn only_the_host_of_the_request_says_which_host_is_meant() {
    let world = World::start().await;
    let client = world.client("eu-api", "read:logs-* prod/read:logs-*");
    let headers = [
        ("x-forwarded-host", "eu.example.org"),
        ("forwarded", "host=eu.example.org"),
        ("x-host", "eu.example.org"),
        ("x-original-host", "eu.example.org"),
        ("x-forwarded-prefix", "/prod"),
        ("x-original-url", "/prod/logs-a/_search"),
    ];
    let reply = client.send(Method::GET, "/logs-a/_search", &headers, Bytes::new()).await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND, "{}", reply.text());
    let reply = client.send(Method::GET, "/prod/logs-a/_search", &headers, Bytes::new()).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(world.seen(), [1, 0, 0]);

    // An absolute target names a host of its own: it and the Host header must agree.
    let token = world.token("eu-api", "read:logs-*");
    let absolute = |authority: &str, host: &str| {
        format!(
            "GET https://{authority}/logs-a/_search HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n"
        )
    };
    let answer = raw(&client, absolute("eu.example.org", "eu.example.org").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for (authority, host) in [("eu.example.org", "localhost"), ("localhost", "eu.example.org")] {
        let answer = raw(&client, absolute(authority, host).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{authority} {host}: {answer}");
    }
    assert_eq!(world.seen(), [1, 0, 1]);
}

#[tokio::test]
async fn one_cluster_away_is_no_matter_of_the_others() {
    let mut world = World::start().await;
    let client = world.client("prod-api", "prod/read:logs-* eu/read:logs-*");
    assert_eq!(search(&world, &client, "eu").await.status, StatusCode::OK);
    // In its place comes one that is asked for nothing.
    let address = world.eu.address();
    let unused = StandInEngine::start().await;
    drop(std::mem::replace(&mut world.eu, unused));
    let reply = e2e::eventually("the cluster is known to be away", async || {
        let reply = search(&world, &client, "eu").await;
        (reply.status == StatusCode::SERVICE_UNAVAILABLE).then_some(reply)
    })
    .await;
    assert_eq!(reply.code(), "engine_unreachable");
    assert!(!reply.text().contains(&address.to_string()), "clients are not told where engines are");
    assert_eq!(search(&world, &client, "prod").await.status, StatusCode::OK);
    let ready = world.proxy.admin("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK, "some callers are served");
    assert!(ready.text().contains("cluster eu"), "{}", ready.text());
}
