//! Handles belong to whoever made them: wrapped on their way out, unwrapped for their owner, unknown to everybody else.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{collections::BTreeSet, io::Write as _};

use bytes::Bytes;
use e2e::{Client, ProxyFiles, Reply, RunningProxy, StandInEngine, StandInProvider, stand_in_config};
use flate2::{Compression, write::GzEncoder};
use http::{Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";
const JSON: (&str, &str) = ("content-type", "application/json");

struct World {
    provider: StandInProvider,
    engine: StandInEngine,
    proxy: RunningProxy,
}

impl World {
    async fn start() -> Self {
        Self::start_with(&["handles: {secret: \"${file:handles.key}\"}"]).await
    }

    /// These lines belong to the cluster.
    async fn start_with(lines: &[&str]) -> Self {
        let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
        let proxy = proxy(&provider, &engine, lines).await;
        for path in ["/logs-a/_search", "/_search", "/_search/scroll"] {
            engine.answer(path, |_| {
                answer(&json!({"_scroll_id": "RnI==", "pit_id": "48a5", "hits": {"hits": []}}))
            });
        }
        Self { provider, engine, proxy }
    }

    fn client(&self, subject: &str, scope: &str) -> Client {
        client_of(&self.provider, &self.proxy, subject, scope)
    }

    /// The scroll id that this subject gets for a search of `logs-a`.
    async fn scroll(&self, subject: &str) -> String {
        let reply = self.client(subject, "read:logs-*").get("/logs-a/_search?scroll=1m").await;
        text(&reply, "_scroll_id")
    }

    /// How many requests the engine has seen.
    fn seen(&self) -> usize {
        self.engine.seen().len()
    }
}

async fn proxy(provider: &StandInProvider, engine: &StandInEngine, lines: &[&str]) -> RunningProxy {
    let files = ProxyFiles::new();
    files.write("handles.key", &format!("{SECRET}\n"));
    files.write("other.key", OTHER);
    let lines: String = lines.iter().flat_map(|line| ["    ", line, "\n"]).collect();
    let config = stand_in_config(&files, provider, &[&engine.url()]);
    RunningProxy::start(files, &config.replace("  - name: main\n", &format!("  - name: main\n{lines}"))).await
}

fn client_of(provider: &StandInProvider, proxy: &RunningProxy, subject: &str, scope: &str) -> Client {
    let token = provider.build_token().claim("sub", subject).claim("scope", scope).sign();
    Client::new(proxy.address, &proxy.ca()).with_token(token)
}

fn answer(body: &Value) -> Response<Full<Bytes>> {
    typed("application/json; charset=UTF-8", body.to_string())
}

fn typed(media: &str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::builder().header(header::CONTENT_TYPE, media).body(Full::new(body.into())).unwrap()
}

fn text(reply: &Reply, key: &str) -> String {
    let body = reply.json();
    assert!(body[key].is_string(), "{key}: {body}");
    body[key].as_str().unwrap().to_owned()
}

/// The status, and for a refusal its code.
fn outcome(reply: &Reply) -> (u16, String) {
    let code = if reply.status.is_success() { String::new() } else { reply.code() };
    (reply.status.as_u16(), code)
}

fn unknown() -> (u16, String) {
    (404, "handle_unknown".to_owned())
}

fn encoded(id: &str) -> String {
    id.replace('=', "%3D")
}

#[tokio::test]
async fn a_scroll_goes_on_for_whoever_began_it_and_nobody_else() {
    let world = World::start().await;
    let id = world.scroll("alice").await;
    assert!(id.starts_with("oph1.") && id.ends_with(".RnI=="), "{id}");
    let (alice, bob) = (world.client("alice", "read:logs-*"), world.client("bob", "read:logs-* read:*"));
    let body = json!({"scroll": "1m", "scroll_id": id});
    let path = encoded(&id);
    for (method, target, body, sent, sent_body) in [
        (
            Method::POST,
            "/_search/scroll",
            Some(&body),
            "/_search/scroll",
            r#"{"scroll":"1m","scroll_id":"RnI=="}"#,
        ),
        (
            Method::GET,
            &*format!("/_search/scroll/{path}?scroll=1m"),
            None,
            "/_search/scroll/RnI%3D%3D?scroll=1m",
            "",
        ),
        (
            Method::GET,
            &*format!("/_search/scroll?scroll_id={path}"),
            None,
            "/_search/scroll?scroll_id=RnI%3D%3D",
            "",
        ),
        (
            Method::DELETE,
            &*format!("/_search/scroll/{path},{path}"),
            None,
            "/_search/scroll/RnI%3D%3D,RnI%3D%3D",
            "",
        ),
        (
            Method::DELETE,
            "/_search/scroll",
            Some(&json!({"scroll_id": [id]})),
            "/_search/scroll",
            r#"{"scroll_id":["RnI=="]}"#,
        ),
    ] {
        let send = async |client: &Client| match body {
            Some(body) => client.json(method.clone(), target, body).await,
            None => client.get_or(method.clone(), target).await,
        };
        assert_eq!(outcome(&send(&alice).await), (200, String::new()), "{method} {target}");
        let seen = world.engine.last();
        assert_eq!((&*seen.target, &*seen.body), (sent, sent_body.as_bytes()));
        let record = world.proxy.last_audit().await;
        assert_eq!(record["targets"], json!(["logs-a"]), "what the handle stands for: {record}");

        let before = world.seen();
        let reply = send(&bob).await;
        assert_eq!(outcome(&reply), unknown(), "{method} {target}");
        assert_eq!(reply.json()["error"]["type"], "resource_not_found_exception");
        assert_eq!(world.seen(), before, "the engine is not troubled");
        let record = world.proxy.last_audit().await;
        assert_eq!((&record["reason"], &record["decision"]), (&json!("handle_unknown"), &json!("deny")));
    }
    // The next page tells the same id, and so its owner is told the same.
    let next = alice.json(Method::POST, "/_search/scroll", &body).await;
    assert_eq!(text(&next, "_scroll_id"), id);
}

#[tokio::test]
async fn each_use_is_judged_by_what_the_token_may_do_now() {
    let world = World::start().await;
    let id = world.scroll("alice").await;
    let body = json!({"scroll_id": id});
    let reply = world.client("alice", "read:metrics-*").json(Method::POST, "/_search/scroll", &body).await;
    assert_eq!(outcome(&reply), (403, "insufficient_scope".to_owned()));
    assert_eq!(reply.json()["error"]["needed_scope"], "read:logs-a");
    let record = world.proxy.last_audit().await;
    assert_eq!(record["decision"], "deny", "{record}");
    let reply = world.client("alice", "read:logs-a").json(Method::POST, "/_search/scroll", &body).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(world.proxy.last_audit().await["permitted_by"], json!(["read:logs-a"]));
}

#[tokio::test]
async fn an_altered_handle_is_nobodys() {
    let world = World::start().await;
    let id = world.scroll("alice").await;
    let alice = world.client("alice", "read:logs-* read:*");
    let (sealed, original) = id.strip_prefix("oph1.").unwrap().split_once('.').unwrap();
    let mut bytes = data_encoding::BASE64URL_NOPAD.decode(sealed.as_bytes()).unwrap();
    bytes.extend_from_slice(b",metrics-*");
    let wider = data_encoding::BASE64URL_NOPAD.encode(&bytes);
    let mut tag = data_encoding::BASE64URL_NOPAD.decode(sealed.as_bytes()).unwrap();
    tag[0] ^= 1;
    let tag = data_encoding::BASE64URL_NOPAD.encode(&tag);
    for forged in [
        format!("oph1.{sealed}.RnJ=="),
        format!("oph1.{wider}.{original}"),
        format!("oph1.{tag}.{original}"),
        format!("oph1.{original}"),
        "oph1.".to_owned(),
        format!("oph1..{original}"),
        format!("{id} "),
        format!("oph1.{sealed}.{id}"),
    ] {
        let before = world.seen();
        let reply = alice.json(Method::POST, "/_search/scroll", &json!({"scroll_id": forged})).await;
        assert_eq!(outcome(&reply), unknown(), "{forged}");
        assert_eq!(world.seen(), before);
    }
    // One of one's own does not cover for it, and one kind does not pass for another.
    let both = json!({"scroll_id": [id, format!("oph1.{sealed}.RnJ==")]});
    assert_eq!(outcome(&alice.json(Method::DELETE, "/_search/scroll", &both).await), unknown());
    let pit = json!({"pit": {"id": id}});
    assert_eq!(outcome(&alice.json(Method::POST, "/_search", &pit).await), unknown());
}

#[tokio::test]
async fn what_the_engine_names_itself_is_for_those_who_may_use_all_handles() {
    let world = World::start().await;
    let (narrow, wide) = (world.client("alice", "read:logs-*"), world.client("operator", "read:*"));
    let requests = [
        (Method::POST, "/_search/scroll", json!({"scroll_id": "RnI=="})),
        (Method::POST, "/_search", json!({"pit": {"id": "48a5"}})),
        (Method::DELETE, "/_search/point_in_time", json!({"pit_id": ["48a5"]})),
        (Method::POST, "/_plugins/_sql", json!({"cursor": "d:abc"})),
    ];
    for (method, target, body) in requests {
        let before = world.seen();
        assert_eq!(outcome(&narrow.json(method.clone(), target, &body).await), unknown(), "{target}");
        assert_eq!(world.seen(), before);
        assert_eq!(outcome(&wide.json(method, target, &body).await), (200, String::new()), "{target}");
        assert_eq!(world.engine.last().body, body.to_string().as_bytes());
    }
    // The lists of all tasks tell these, so it is no secret what would allow them.
    let reply = world.client("alice", "read:logs-* monitor:cluster").get("/_tasks/node:12").await;
    assert_eq!(outcome(&reply), (403, "insufficient_scope".to_owned()));
    let reply = world.client("operator", "read:* monitor:cluster").get("/_tasks/node:12").await;
    assert_eq!((reply.status, &*world.engine.last().target), (StatusCode::OK, "/_tasks/node:12"));
}

#[tokio::test]
async fn a_point_in_time_is_searched_for_what_it_stands_for_and_what_the_body_names_besides() {
    let world = World::start_with(&["narrow: true", "handles: {secret: \"${file:handles.key}\"}"]).await;
    let (alice, bob) = (world.client("alice", "read:logs-*"), world.client("bob", "read:logs-*"));
    world.engine.answer("/logs-a,logs-b/_search/point_in_time", |_| answer(&json!({"pit_id": "48a5"})));
    let made = alice.get_or(Method::POST, "/logs-a,logs-b/_search/point_in_time?keep_alive=1m").await;
    let id = text(&made, "pit_id");
    let search = |index: &str| json!({"pit": {"id": id}, "query": {"terms": {"user": {"index": index, "id": "1", "path": "ids"}}}});
    let reply = alice.json(Method::POST, "/_search", &search("logs-users")).await;
    assert_eq!(text(&reply, "pit_id"), id);
    let seen = world.engine.last();
    assert_eq!(
        (&*seen.target, &seen.body),
        ("/_search", &search("logs-users").to_string().replace(&id, "48a5").into())
    );
    let record = world.proxy.last_audit().await;
    assert_eq!(record["targets"], json!(["logs-users", "logs-a", "logs-b"]), "{record}");
    let reply = alice.json(Method::POST, "/_search", &search("secret")).await;
    assert_eq!(outcome(&reply), (403, "insufficient_scope".to_owned()));
    assert_eq!(outcome(&bob.json(Method::POST, "/_search", &search("logs-users")).await), unknown());

    // Compressed, it reaches the engine plain, since it is another body.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(search("logs-users").to_string().as_bytes()).unwrap();
    let gzipped = Bytes::from(gzip.finish().unwrap());
    let coded = [JSON, ("content-encoding", "gzip")];
    assert_eq!(alice.send(Method::POST, "/_search", &coded, gzipped).await.status, StatusCode::OK);
    let plain = world.engine.last();
    assert_eq!((plain.body, plain.headers.get("content-encoding")), (seen.body, None));

    // What is freed is told by the name that it was given.
    world.engine.answer("/_search/point_in_time", |_| {
        answer(&json!({"pits": [{"successful": true, "pit_id": "48a5"}]}))
    });
    let freed = alice.json(Method::DELETE, "/_search/point_in_time", &json!({"pit_id": [id]})).await;
    assert_eq!(freed.json(), json!({"pits": [{"successful": true, "pit_id": id}]}));
    assert_eq!(world.engine.last().body, r#"{"pit_id":["48a5"]}"#);

    // Without one it is a search like any other, here a narrowed one.
    let reply = alice.json(Method::POST, "/_search", &json!({"query": {"match_all": {}}})).await;
    assert_eq!((reply.status, &*world.engine.last().target), (StatusCode::OK, "/logs-*/_search"));
}

#[tokio::test]
async fn a_handle_stands_for_what_the_body_of_its_making_named() {
    let world = World::start().await;
    let scopes = "read:logs-* write:copy manage:copy monitor:cluster";
    world.engine.answer("/_reindex", |_| answer(&json!({"task": "node:12"})));
    world.engine.answer("/_plugins/_sql", |_| answer(&json!({"datarows": [], "cursor": "d:eyJh+/="})));
    let padding = "x".repeat(100_000);
    for padding in ["", &padding] {
        // The larger of these is read while it flows.
        let body = json!({"source": {"index": "logs-a", "query": {"match": {"a": padding}}}, "dest": {"index": "copy"}});
        let alice = world.client("alice", scopes);
        let made = alice.json(Method::POST, "/_reindex?wait_for_completion=false", &body).await;
        let task = text(&made, "task");
        assert!(task.starts_with("oph1."), "{task}");
        let reply = alice.get(&format!("/_tasks/{task}")).await;
        assert_eq!((reply.status, &*world.engine.last().target), (StatusCode::OK, "/_tasks/node%3A12"));
        let record = world.proxy.last_audit().await;
        let targets: BTreeSet<_> =
            record["targets"].as_array().unwrap().iter().map(Value::to_string).collect();
        let expected = ["cluster", "copy", "logs-a"].map(|target| format!("{target:?}"));
        assert_eq!(targets, BTreeSet::from(expected), "{record}");
        let reply =
            world.client("alice", "read:logs-* monitor:cluster").get(&format!("/_tasks/{task}")).await;
        assert_eq!(reply.json()["error"]["needed_scope"], "write:copy", "{}", reply.text());
        let reply = world.client("bob", scopes).get(&format!("/_tasks/{task}")).await;
        assert_eq!(outcome(&reply), unknown());
    }
    // Waited for, there is no task in the answer, and what looks like one is left alone.
    let body = json!({"source": {"index": "logs-a"}, "dest": {"index": "copy"}});
    let reply = world.client("alice", scopes).json(Method::POST, "/_reindex", &body).await;
    assert_eq!(text(&reply, "task"), "node:12");

    let alice = world.client("alice", "read:logs-*");
    let query = json!({"query": "SELECT a FROM logs-a", "fetch_size": 5});
    let cursor = text(&alice.json(Method::POST, "/_plugins/_sql", &query).await, "cursor");
    for target in ["/_plugins/_sql", "/_plugins/_sql/close"] {
        let body = json!({"cursor": cursor});
        assert_eq!(outcome(&alice.json(Method::POST, target, &body).await), (200, String::new()));
        assert_eq!(world.engine.last().body, r#"{"cursor":"d:eyJh+/="}"#, "{target}");
        assert_eq!(
            outcome(&world.client("bob", "read:logs-*").json(Method::POST, target, &body).await),
            unknown()
        );
        let reply = world.client("alice", "read:metrics-*").json(Method::POST, target, &body).await;
        assert_eq!(outcome(&reply), (403, "insufficient_scope".to_owned()));
    }
}

#[tokio::test]
async fn an_asynchronous_search_is_looked_at_and_freed_by_whoever_began_it() {
    let world = World::start().await;
    let plugin = "read:plugin/asynchronous_search write:plugin/asynchronous_search";
    let told = || answer(&json!({"id": "FnB==", "state": "RUNNING"}));
    world.engine.answer("/logs-a/_plugins/_asynchronous_search", move |_| told());
    world.engine.answer("/_plugins/_asynchronous_search/FnB%3D%3D", move |_| told());
    let alice = world.client("alice", &format!("read:logs-* {plugin}"));
    let query = json!({"query": {"match_all": {}}});
    let id = text(&alice.json(Method::POST, "/logs-a/_plugins/_asynchronous_search", &query).await, "id");
    let target = format!("/_plugins/_asynchronous_search/{}", encoded(&id));
    assert_eq!(text(&alice.get(&target).await, "id"), id);
    let (bob, narrower) = (
        world.client("bob", &format!("read:* {plugin}")),
        world.client("alice", &format!("read:x {plugin}")),
    );
    for method in [Method::GET, Method::DELETE] {
        let before = world.seen();
        assert_eq!(outcome(&bob.get_or(method.clone(), &target).await), unknown());
        let reply = narrower.get_or(method.clone(), &target).await;
        assert_eq!(outcome(&reply), (403, "insufficient_scope".to_owned()), "{method}");
        assert_eq!(world.seen(), before);
        assert_eq!(alice.get_or(method, &target).await.status, StatusCode::OK);
        assert_eq!(world.engine.last().target, "/_plugins/_asynchronous_search/FnB%3D%3D");
    }
}

/// What is not read could name anything; one's own handle beside it must not carry it through.
#[tokio::test]
async fn a_body_that_is_not_read_needs_everything_whatever_stands_beside_it() {
    let world = World::start().await;
    let id = encoded(&world.scroll("alice").await);
    let (narrow, wide) = (world.client("alice", "read:logs-*"), world.client("alice", "read:*"));
    let target = format!("/_search/scroll/{id}");
    let raw = r#"{"scroll_id":"foreign"}"#;
    let long = format!(r#"{{"scroll":"{}","scroll_id":"foreign"}}"#, "1".repeat(600_000));
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[("content-type", "application/yaml")], "scroll_id: foreign"),
        (&[("content-type", "application/cbor")], "\u{1}"),
        (&[], raw),
        (&[JSON, ("content-encoding", "br")], raw),
        (&[JSON, ("content-encoding", "gzip")], raw),
        (&[JSON], "scroll_id=foreign"),
        (&[JSON], "{\"scroll_id\":\"foreign\",\"scroll_id\":\"other\"}"),
        (&[JSON], &long),
    ];
    for (headers, body) in cases {
        let before = world.seen();
        let reply = narrow.send(Method::POST, &target, headers, Bytes::from(body.to_owned())).await;
        assert_eq!(outcome(&reply), (400, "handle_not_read".to_owned()), "{headers:?} {}", reply.text());
        assert_eq!(world.seen(), before, "{headers:?}");
        let reply = wide.send(Method::POST, "/_search/scroll", headers, Bytes::from(body.to_owned())).await;
        assert_eq!(reply.status, StatusCode::OK, "{headers:?}: {}", reply.text());
        assert_eq!(world.engine.last().body, body.as_bytes(), "passed as it is");
    }
    let reply = narrow.send(Method::POST, &target, &[JSON], raw.into()).await;
    assert_eq!(outcome(&reply), unknown());
    let reply = narrow.send(Method::POST, &target, &[JSON], "{\"scroll\":\"1m\"}".into()).await;
    assert_eq!((reply.status, &*world.engine.last().target), (StatusCode::OK, "/_search/scroll/RnI%3D%3D"));
}

#[tokio::test]
async fn replicas_with_the_same_secret_know_each_others_handles() {
    let world = World::start().await;
    let id = world.scroll("alice").await;
    let scroll = async |lines: &[&str]| {
        let replica = proxy(&world.provider, &world.engine, lines).await;
        let client = client_of(&world.provider, &replica, "alice", "read:logs-*");
        let reply = client.json(Method::POST, "/_search/scroll", &json!({"scroll_id": id})).await;
        let told = reply.status.is_success().then(|| text(&reply, "_scroll_id"));
        (outcome(&reply), told)
    };
    let good = (200, String::new());
    assert_eq!(
        scroll(&["handles: {secret: \"${file:handles.key}\"}"]).await,
        (good.clone(), Some(id.clone()))
    );
    // On the way from one secret to another, both are known, whichever is given.
    for secrets in [("other", "handles"), ("handles", "other")] {
        let line = format!(
            "handles: {{secret: \"${{file:{}.key}}\", other_secrets: [\"${{file:{}.key}}\"]}}",
            secrets.0, secrets.1
        );
        assert_eq!(scroll(&[&line]).await, (good.clone(), Some(id.clone())), "{line}");
    }
    assert_eq!(scroll(&["handles: {secret: \"${file:other.key}\"}"]).await, (unknown(), None));
    // Without the setting nothing is known of all this.
    let (refused, _) = scroll(&["narrow: false"]).await;
    assert_eq!(refused, (403, "insufficient_scope".to_owned()));
}

#[tokio::test]
async fn a_handle_of_one_cluster_is_nothing_at_another() {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let files = ProxyFiles::new();
    files.write("handles.key", SECRET);
    let mut config = stand_in_config(&files, &provider, &[]).split("clusters:").next().unwrap().to_owned();
    config += "clusters:\n";
    let cluster = |name: &str| {
        format!(
            "  - name: {name}\n    path_prefix: /{name}\n    audience: {name}-api\n    nodes: [{}]\n    \
             identity: {{signed_jwt: {{private_key: signing.pem}}}}\n    handles: {{secret: \"${{file:handles.key}}\"}}\n",
            engine.url()
        )
    };
    config += &cluster("one");
    config += &cluster("two");
    engine.answer("/logs-a/_search", |_| answer(&json!({"_scroll_id": "RnI=="})));
    let proxy = RunningProxy::start(files, &config).await;
    let token = provider.build_token().claim("aud", json!(["opensearch-proxy", "one-api", "two-api"]));
    let token = token.claim("scope", "read:logs-*").sign();
    let alice = Client::new(proxy.address, &proxy.ca()).with_token(token);
    let id = text(&alice.get("/one/logs-a/_search?scroll=1m").await, "_scroll_id");
    let body = json!({"scroll_id": id});
    assert_eq!(alice.json(Method::POST, "/one/_search/scroll", &body).await.status, StatusCode::OK);
    assert_eq!(outcome(&alice.json(Method::POST, "/two/_search/scroll", &body).await), unknown());
}

#[tokio::test]
async fn a_client_of_the_same_user_is_somebody_else() {
    let world = World::start().await;
    let id = world.scroll("alice").await;
    let token = world.provider.build_token().claim("sub", "alice").claim("scope", "read:logs-*");
    let other = Client::new(world.proxy.address, &world.proxy.ca())
        .with_token(token.claim("client_id", "another").sign());
    let reply = other.json(Method::POST, "/_search/scroll", &json!({"scroll_id": id})).await;
    assert_eq!(outcome(&reply), unknown());
}

#[tokio::test]
async fn large_answers_pass_unchanged_but_for_the_handle_over_both_protocols() {
    let world = World::start().await;
    let hits: Vec<Value> = (0..20_000)
        .map(|at| json!({"_id": at.to_string(), "_source": {"_scroll_id": "mine", "text": "\\\"{[é".repeat(20)}}))
        .collect();
    let body = json!({"took": 3, "_scroll_id": "RnI==", "hits": {"hits": hits}});
    let bytes = body.to_string();
    assert!(bytes.len() > 4_000_000);
    let http2 = |subject| {
        let token = world.provider.build_token().claim("sub", subject).claim("scope", "read:logs-*").sign();
        Client::http2(world.proxy.address, &world.proxy.ca()).with_token(token)
    };
    for chunked in [false, true] {
        let sent = bytes.clone();
        world.engine.answer("/logs-a/_search", move |_| {
            let mut response = typed("application/json", sent.clone());
            if chunked {
                let chunked = header::HeaderValue::from_static("chunked");
                response.headers_mut().insert(header::TRANSFER_ENCODING, chunked);
            }
            response
        });
        for client in [world.client("alice", "read:logs-*"), http2("alice")] {
            let reply = client.get("/logs-a/_search?scroll=1m").await;
            assert!(!reply.headers.contains_key(header::CONTENT_LENGTH), "{:?}", reply.headers);
            let id = text(&reply, "_scroll_id");
            assert!(
                reply.text() == bytes.replacen("\"RnI==\"", &format!("{id:?}"), 1),
                "all else as it came"
            );
            let next = json!({"scroll_id": id});
            assert_eq!(
                http2("alice").json(Method::POST, "/_search/scroll", &next).await.status,
                StatusCode::OK
            );
            assert_eq!(outcome(&http2("bob").json(Method::POST, "/_search/scroll", &next).await), unknown());
            // Without a handle to tell it passes as it came.
            let reply = client.get("/logs-a/_search").await;
            assert!(reply.text() == bytes);
            assert_eq!(reply.headers.contains_key(header::CONTENT_LENGTH), !chunked);
        }
    }
    let connections = world.engine.connections();
    let alice = world.client("alice", "read:logs-*");
    assert_eq!(alice.get("/logs-a/_search?scroll=1m").await.status, StatusCode::OK);
    assert_eq!(
        world.engine.connections(),
        connections,
        "a connection goes on to be used after such an answer"
    );
}

#[tokio::test]
async fn what_tells_a_handle_is_asked_for_as_plain_json() {
    let world = World::start().await;
    let alice = world.client("alice", "read:logs-*");
    let headers = [("accept", "application/yaml"), ("accept-encoding", "gzip")];
    let accepted = || {
        let seen = world.engine.last().headers;
        let text =
            |name| seen.get(name).map(|value: &header::HeaderValue| value.to_str().unwrap().to_owned());
        (text("accept"), text("accept-encoding"))
    };
    alice.send(Method::GET, "/logs-a/_search?scroll=1m", &headers, Bytes::new()).await;
    assert_eq!(accepted(), (Some("application/json".to_owned()), None));
    alice.send(Method::GET, "/logs-a/_search", &headers, Bytes::new()).await;
    assert_eq!(accepted(), (Some("application/yaml".to_owned()), Some("gzip".to_owned())));
    for format in ["yaml", "cbor", "application%2Fsmile"] {
        let before = world.seen();
        let reply = alice.get(&format!("/logs-a/_search?scroll=1m&format={format}")).await;
        assert_eq!(outcome(&reply), (400, "handle_format".to_owned()), "{format}");
        assert_eq!(world.seen(), before);
    }
    assert_eq!(alice.get("/logs-a/_search?scroll=1m&format=JSON").await.status, StatusCode::OK);
    assert_eq!(alice.get("/logs-a/_search?format=yaml").await.status, StatusCode::OK);

    // What is not JSON all the same passes, and what it tells is nobody's.
    world.engine.answer("/logs-a/_search", |_| typed("application/yaml", "_scroll_id: \"RnI==\"\n"));
    let reply = alice.get("/logs-a/_search?scroll=1m").await;
    assert_eq!(reply.text(), "_scroll_id: \"RnI==\"\n");
    assert_eq!(outcome(&alice.get("/_search/scroll/RnI%3D%3D").await), unknown());
    world.engine.answer("/_plugins/_sql", |_| typed("text/plain", "a,b\n1,2\n"));
    let query = json!({"query": "SELECT a FROM logs-a"});
    let reply = alice.json(Method::POST, "/_plugins/_sql?format=csv", &query).await;
    assert_eq!(reply.text(), "a,b\n1,2\n");
}

#[tokio::test]
async fn an_answer_that_cannot_be_followed_breaks_off() {
    let world = World::start().await;
    let alice = world.client("alice", "read:logs-*");
    for body in ["[{\"_scroll_id\":\"RnI==\"}]", "{\"_scroll_id\":\"RnI==\"", "{\"_scroll_id\":\"RnI==\"}{}"]
    {
        world.engine.answer("/logs-a/_search", move |_| typed("application/json", body));
        let request = alice.request(Method::GET, "/logs-a/_search?scroll=1m").body(Full::<Bytes>::default());
        // So small an answer can fail before its head is sent.
        if let Ok(response) = alice.try_begin(request.unwrap()).await {
            assert!(response.into_body().collect().await.is_err(), "{body}");
        }
        let record = e2e::eventually("the record", async || {
            let record = world.proxy.last_audit().await;
            (record["outcome"] == "upstream_broken").then_some(record)
        })
        .await;
        assert_eq!(record["decision"], "allow", "{record}");
    }
    // Nothing is a good answer, too, and so is the engine's own refusal.
    world.engine.answer("/logs-a/_search", |_| typed("application/json", ""));
    assert_eq!(alice.get("/logs-a/_search?scroll=1m").await.text(), "");
    world.engine.answer("/logs-a/_search", |_| {
        let mut response = answer(&json!({"error": {"type": "index_not_found_exception"}, "status": 404}));
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    });
    let reply = alice.get("/logs-a/_search?scroll=1m").await;
    assert_eq!((reply.status, &reply.json()["status"]), (StatusCode::NOT_FOUND, &json!(404)));
}
