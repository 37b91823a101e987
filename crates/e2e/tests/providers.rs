//! The guide to providers, taken at its word: the tokens it shows pass through a proxy configured as it says.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;

use e2e::{Client, ProxyFiles, RunningProxy, StandInEngine, StandInProvider};
use http::StatusCode;
use serde_json::{Value, json};

const GUIDE: &str = include_str!("../../../docs/providers.md");

/// What is under one heading: a configuration, and the header and claims of each token.
struct Section {
    yaml: &'static str,
    tokens: Vec<(Value, Value)>,
}

fn blocks(section: &'static str, language: &'static str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    section.split(&fence).skip(1).map(|rest| rest.split("\n```").next().expect("a fence is closed")).collect()
}

fn sections() -> BTreeMap<&'static str, Section> {
    let with_tokens = GUIDE.split("\n## Connect ").skip(1).filter(|section| section.contains("```json"));
    with_tokens
        .map(|section| {
            let name = section.lines().next().expect("a heading");
            let yaml = blocks(section, "yaml")[0];
            let json: Vec<Value> = blocks(section, "json")
                .into_iter()
                .map(|block| {
                    serde_json::from_str(block).unwrap_or_else(|error| panic!("{name}: {error}\n{block}"))
                })
                .collect();
            let tokens = json.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
            (name, Section { yaml, tokens })
        })
        .collect()
}

/// The lines of a top-level key.
fn part(yaml: &str, key: &str) -> String {
    let mut lines = yaml.lines().skip_while(|line| *line != format!("{key}:"));
    let first = lines.next().unwrap_or_else(|| panic!("`{key}` is missing"));
    let rest = lines.take_while(|line| line.starts_with(' '));
    std::iter::once(first).chain(rest).fold(String::new(), |text, line| text + line + "\n")
}

/// As the guide has it, but for who issues and where things are.
fn config(files: &ProxyFiles, yaml: &str, provider: &StandInProvider, engine: &StandInEngine) -> String {
    let mut providers = String::new();
    for line in part(yaml, "providers").lines() {
        match line.trim_start().strip_prefix("issuer: ") {
            Some(_) => providers.extend(["    issuer: ", &provider.issuer(), "\n"]),
            None => providers.extend([line, "\n"]),
        }
    }
    format!(
        "{}{providers}{}clusters:\n  - name: main\n    nodes: [{}]\n    \
         identity: {{signed_jwt: {{private_key: signing.pem}}}}\n",
        files.base_config(),
        part(yaml, "mappings"),
        engine.url(),
    )
}

/// A token with the header and claims of the guide, but of the stand-in and of now.
fn token(provider: &StandInProvider, header: &Value, claims: &Value, change: &[(&str, Value)]) -> String {
    let mut builder = provider.build_token();
    let now = builder.claims()["iat"].clone();
    for name in ["aud", "sub", "client_id", "jti"] {
        builder = builder.claim(name, Value::Null);
    }
    assert_eq!(header["alg"], "RS256");
    let typ = header["typ"].as_str().map(ToOwned::to_owned);
    builder = builder.header(|header| header.typ = typ);
    for (name, value) in claims.as_object().expect("claims are an object") {
        match name.as_str() {
            "iss" | "exp" | "iat" => {}
            "nbf" => builder = builder.claim(name, now.clone()),
            _ => builder = builder.claim(name, value.clone()),
        }
    }
    change.iter().fold(builder, |builder, (name, value)| builder.claim(name, value.clone())).sign()
}

#[tokio::test]
async fn the_tokens_of_the_guide_pass_with_its_configurations() {
    /// Provider, and of each of its tokens the user and the client.
    type Expected = (&'static str, &'static [(Option<&'static str>, Option<&'static str>)]);
    let expected: [Expected; 5] = [
        ("Keycloak", &[(Some("alice"), Some("logs-ui")), (None, Some("langchain-agent"))]),
        (
            "Auth0",
            &[
                (Some("auth0|6553da60a54af58e29493993"), Some("K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja")),
                (None, Some("awZfdIir8YFdGZWkvCejDoUb7SjTDicx")),
            ],
        ),
        (
            "Okta",
            &[
                (Some("alice@example.com"), Some("0oabv6kx4qq6h1U5l0h7")),
                (None, Some("0oac1d2e3f4g5h6i7j8k")),
            ],
        ),
        (
            "Microsoft Entra",
            &[
                (Some("690222be-ff1a-4d56-abd1-7e4f7d38e474"), Some("3f8c1a52-9d0e-4d4b-8a3e-7c1f0b2d5e64")),
                (None, Some("b1a7e4d0-5c3f-4e22-9b6a-2d8f1c0e7a95")),
            ],
        ),
        ("Dex", &[(Some("alice@example.com"), Some("logs-ui"))]),
    ];
    let sections = sections();
    assert_eq!(sections.len(), expected.len(), "{:?}", sections.keys());
    for (name, callers) in expected {
        let section = &sections[name];
        assert_eq!(section.tokens.len(), callers.len(), "{name}");
        let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
        let files = ProxyFiles::new();
        let config = config(&files, section.yaml, &provider, &engine);
        let proxy = RunningProxy::start(files, &config).await;
        let client = Client::new(proxy.address, &proxy.ca());

        for ((header, claims), (user, caller)) in section.tokens.iter().zip(callers) {
            let with = |change: &[(&str, Value)]| {
                client.clone().with_token(token(&provider, header, claims, change))
            };
            let reply = with(&[]).get("/logs-2026/_search").await;
            assert_eq!(reply.status, StatusCode::OK, "{name} {user:?}: {}", reply.text());
            let record = proxy.last_audit().await;
            assert_eq!(record["user_id"].as_str(), *user, "{name}: {record}");
            assert_eq!(record["client_id"].as_str(), *caller, "{name}: {record}");
            let elsewhere = with(&[]).get("/payroll/_search").await;
            assert_eq!(elsewhere.status, StatusCode::FORBIDDEN, "{name} {user:?}");

            // What the pitfalls say.
            let foreign = with(&[("aud", json!("another-service"))]).get("/logs-2026/_search").await;
            assert_eq!(foreign.code(), "wrong_audience", "{name}");
            let bound = with(&[("cnf", json!({ "jkt": "abc" }))]).get("/logs-2026/_search").await;
            assert_eq!(bound.code(), "sender_constrained", "{name}");
            let id_token = with(&[("at_hash", json!("abc"))]).get("/logs-2026/_search").await;
            assert_eq!(id_token.status == StatusCode::OK, name == "Dex", "{name}");
        }
        proxy.stop().await;
    }
}
