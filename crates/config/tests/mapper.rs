//! Mappings of the file, as they decide.
#![expect(clippy::panic, reason = "a test ends at the first thing that is not as it should be")]

#[path = "support/plenty.rs"]
mod support;

use std::{borrow::Cow, path::Path};

use access::Subject;
use claims::ClaimPath;
use config::model::Config;
use serde_json::{Map, Value, json};
use support::Plenty;

struct Token {
    scopes: Vec<&'static str>,
    groups: Vec<&'static str>,
    audiences: Vec<&'static str>,
    claims: Map<String, Value>,
}

impl Subject for Token {
    fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().copied()
    }
    fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().copied()
    }
    fn claim(&self, path: &ClaimPath) -> Vec<Cow<'_, str>> {
        path.texts(&self.claims)
    }
    fn audiences(&self) -> impl Iterator<Item = &str> {
        self.audiences.iter().copied()
    }
}

fn config() -> Config {
    let text = r#"
listen: { address: "127.0.0.1:8443", plaintext: true }
public_url: http://localhost:8443
providers:
  - { name: keycloak, issuer: "https://a.example.com", audiences: [logs, metrics] }
  - { name: okta, issuer: "https://b.example.com", audiences: [logs, metrics], native_scopes: false }
clusters:
  - name: logs
    hosts: [logs.example.com]
    audience: logs
    nodes: [https://node.example.com:9200]
    identity: { signed_jwt: { private_key: jwt.pem } }
  - name: metrics
    hosts: [metrics.example.com]
    audience: metrics
    nodes: [https://node.example.com:9200]
    identity: { proxy_headers: }
mappings:
  - { scope: "app.*", grant: { scopes: ["read:app-*"] } }
  - { group: sre, clusters: [metrics], grant: { scopes: ["monitor:cluster"], roles: [operators] } }
  - { provider: okta, claim: { path: '"https://example.com/team"', equals: search }, grant: { scopes: ["logs/write:search-*"] } }
  - { scope: app.read, group: sre, grant: { scopes: ["manage:app-*"] } }
audit: { sink: { stdout: } }
"#;
    config::parse(text, Path::new("proxy.yml"), &Plenty)
        .unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(false)))
        .config
}

#[test]
fn mappings_decide() {
    let config = config();
    let team = json!({ "https://example.com/team": "search" });
    let cases = [
        // cluster, provider, scopes, groups, claims, rights
        ("logs", "keycloak", vec!["app.read"], vec![], json!({}), vec!["read:app-*"]),
        ("logs", "keycloak", vec!["openid", "read:x"], vec![], json!({}), vec!["read:x"]),
        ("logs", "okta", vec!["read:x"], vec![], json!({}), vec![]),
        ("logs", "okta", vec!["app.read"], vec!["sre"], json!({}), vec!["manage:app-*", "read:app-*"]),
        ("metrics", "okta", vec![], vec!["sre"], json!({}), vec!["monitor:cluster"]),
        ("logs", "okta", vec![], vec![], team.clone(), vec!["logs/write:search-*"]),
        ("metrics", "okta", vec![], vec![], team.clone(), vec![]),
        ("logs", "keycloak", vec![], vec![], team, vec![]),
    ];
    for (cluster, provider, scopes, groups, claims, expected) in cases {
        let cluster = config.clusters.iter().find(|one| one.name == cluster).expect("a cluster");
        let provider = config.providers.iter().find(|one| one.name == provider).expect("a provider");
        let mapper = config.mapper_for(cluster, provider).expect("a mapper");
        let token = Token {
            scopes: scopes.clone(),
            groups,
            audiences: vec!["logs", "metrics"],
            claims: claims.as_object().cloned().unwrap_or_default(),
        };
        let rights = mapper.rights(&token);
        let mut held: Vec<_> = rights.scopes().map(ToString::to_string).collect();
        held.sort();
        assert_eq!(held, expected, "{} {} {scopes:?} {claims}", cluster.name, provider.name);
    }
}
