//! "Why was I refused?" in front of the real engine: by scope, by policy, by a rate limit and by the engine's own security, each told
//! by the command line to whom it concerns.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use e2e::{ProxyFiles, Real, RealConfig, Reply};
use http::StatusCode;
use serde_json::Value;
use tempfile::TempDir;

const POLICIES: &str = r#"
@id("whoever has a scope may use it")
permit(principal, action, resource);
@id("nobody sees personal data")
forbid(principal, action, resource in Index::"logs-pii-*");
"#;

struct World {
    real: Real,
    home: TempDir,
    _files: ProxyFiles,
}

impl World {
    async fn start() -> Self {
        let files = ProxyFiles::new();
        files.write("p.cedar", POLICIES);
        let extra = format!(
            "policies: {{files: [{}]}}\ndecisions: {{contact: '#search'}}\n\
             mappings:\n  - {{scope: 'read:metrics-*', grant: {{scopes: ['monitor:decisions']}}}}\n\
             rate_limits:\n  rules:\n    - {{name: health, per: [client], actions: [monitor], requests: 1, every: 1h, burst: 1}}\n",
            files.path("p.cedar").display()
        );
        let real = Real::start(&RealConfig { extra, ..RealConfig::default() }).await;
        // A scope that came after the engine's roles were made.
        let text = std::fs::read_to_string(real.proxy.config_path()).unwrap();
        real.proxy.rewrite_config(
            &text.replace("['monitor:decisions']", "['monitor:decisions', 'read:explain-*']"),
        );
        real.proxy.reloader().try_reload().await.unwrap();
        let world = Self { real, home: TempDir::new().unwrap(), _files: files };
        let url = format!("https://localhost:{}", world.real.proxy.address.port());
        let ca = world.real.proxy.ca();
        let issuer = format!("keycloak={}", world.real.testbed.keycloak.issuer);
        let added = world.run(
            &["contexts", "add", "real", "--url", &url, "--ca", ca.to_str().unwrap(), "--provider", &issuer],
            "",
        );
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        world
    }

    fn run(&self, arguments: &[&str], token: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_opensearch-auth-under-test"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("OPENSEARCH_AUTH_TOKEN", token)
            .output()
            .unwrap()
    }

    async fn token(&self, client: &str, scope: &str) -> String {
        self.real.testbed.keycloak.token(client, scope).await.map_err(|error| error.to_string()).unwrap()
    }

    async fn get(&self, token: &str, path: &str) -> Reply {
        self.real.anonymous().with_token(token).get(path).await
    }

    /// What the command line says about the refusal, for people and for programs.
    fn explain(&self, token: &str, reply: &Reply) -> (String, Value) {
        let id = reply.header("x-decision-id");
        // The program waits for the proxy, which runs in this process.
        tokio::task::block_in_place(|| {
            let text = self.run(&["explain", id], token);
            assert!(text.status.success(), "{}", String::from_utf8_lossy(&text.stderr));
            let json = self.run(&["explain", id, "--output", "json"], token);
            (String::from_utf8(text.stdout).unwrap(), serde_json::from_slice(&json.stdout).unwrap())
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_layer_is_told_by_the_command_line() {
    let world = World::start().await;
    let ops = world.token("ops", "read:* monitor:cluster").await;

    let narrow = world.token("langchain-agent", "read:logs-*").await;
    let reply = world.get(&narrow, "/metrics-1/_search").await;
    assert_eq!(reply.code(), "insufficient_scope", "{}", reply.text());
    let (text, json) = world.explain(&narrow, &reply);
    assert!(text.contains("❌ Scopes") && text.contains("would take read:metrics-1"), "{text}");
    assert!(text.contains("the client langchain-agent at the provider keycloak"), "{text}");
    assert!(text.contains("Begin with: #search"), "{text}");
    assert_eq!(json["scopes"]["held"], serde_json::json!(["read:logs-*"]));
    // Not one's own, and for whoever has the scope for all.
    let id = reply.header("x-decision-id");
    let foreign = tokio::task::block_in_place(|| world.run(&["explain", id], &ops));
    assert_eq!(foreign.status.code(), Some(1), "{}", String::from_utf8_lossy(&foreign.stderr));
    let auditor = world.token("ops", "read:metrics-*").await;
    world.explain(&auditor, &reply);

    let reply = world.get(&ops, "/logs-pii-1/_search").await;
    assert_eq!(reply.code(), "forbidden_by_policy");
    let (text, _) = world.explain(&ops, &reply);
    assert!(
        text.contains("❌ Policies") && text.contains("an exception from `nobody sees personal data`"),
        "{text}"
    );

    let reply = world.get(&auditor, "/explain-1/_search").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text());
    let (text, json) = world.explain(&auditor, &reply);
    assert!(text.starts_with("❌ Refused by the engine"), "{text}");
    assert!(text.contains("✅ Identity") && text.contains("❌ Engine"), "{text}");
    let message = json["engine"]["message"].as_str().unwrap();
    assert!(message.contains("no permissions for") && reply.text().contains(message), "{message}");
    assert!(text.contains("an engine role with indices:data/read/search for read on explain-1"), "{text}");

    assert_eq!(world.get(&ops, "/_cluster/health").await.status, StatusCode::OK);
    let reply = world.get(&ops, "/_cluster/health").await;
    assert_eq!(reply.code(), "rate_limited");
    let (text, _) = world.explain(&ops, &reply);
    assert!(text.contains("❌ Rate limit") && text.contains("the same request later"), "{text}");
}
