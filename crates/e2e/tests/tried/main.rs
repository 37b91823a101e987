//! docs/tried-against-the-engine.md: what a real engine answers, through the proxy and beside it.
//!
//! The page is made by the run. Without `UPDATE_EXPECTED` it is compared, so that a changed answer is noticed.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

mod cases;
mod page;

use std::path::PathBuf;

use e2e::{Real, RealConfig};
use http::Method;
use page::Group;
use serde_json::json;
use testbed::{RestClient, TestbedInfo};

const PAGE: &str = "docs/tried-against-the-engine.md";

#[tokio::test]
async fn what_the_engine_answers_is_what_is_written() {
    let testbed = TestbedInfo::from_env().unwrap();
    let admin = testbed.engine.client().unwrap();
    tidy(&admin).await;
    let alias = json!({"actions": [{"add": {"index": "pii-customers", "alias": "logs-tried-alias"}}]});
    admin.expect(&Method::POST, "/_aliases", Some(&alias)).await.unwrap();

    let secret = json!({"levels": ["ERROR"], "message": "timeout"});
    admin.expect(&Method::PUT, "/secret-tried/_doc/1?refresh=true", Some(&secret)).await.unwrap();
    admin.expect(&Method::PUT, "/logs-tried", None).await.unwrap();

    let mut page = format!(
        "# Tried against the engine\n\n\
         What OpenSearch {} with its security plugin answered to tokens of Keycloak {}, through the proxy. The last column has \
         the engine's answer to its administrator, without the proxy, where that helps to understand a refusal or a count. \
         An answer with a code in backticks is the proxy's; one with `engine:` is the engine's own.\n\n\
         This page is written by the test `tried` in `crates/e2e`, which fails when an answer changes.\n",
        testbed.engine.version, testbed.keycloak.version
    );
    let usual = RealConfig::default();
    page += &part("The usual configuration", "Identity `signed_jwt`.", &usual, cases::groups()).await;
    page += &part("Strangers", "The same configuration.", &usual, cases::strangers()).await;
    page += &part("What stands in bodies", "The same configuration.", &usual, cases::in_bodies()).await;
    let unread = RealConfig { cluster: "    read_bodies: false\n".to_owned(), ..usual.clone() };
    let text = "With `read_bodies: false`, and otherwise the same requests.";
    page += &part("What stands in bodies, unread", text, &unread, cases::in_bodies()).await;
    page += &part("Document-level security", TENANT, &tenant(), cases::tenant()).await;
    page += &part("Identity `backend_user`", BACKEND_USER, &backend_user(), cases::who()).await;
    let identity = "{proxy_headers: {}}".to_owned();
    let headers = RealConfig { identity, ..RealConfig::default() };
    page += &part("Identity `proxy_headers`", "Otherwise as usual.", &headers, cases::who()).await;
    tidy(&admin).await;

    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(PAGE);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    // The page tells of one version; other versions are held to the same answers.
    let version = |text: String| text.replacen(&testbed.engine.version, "3.4.0", 1);
    let (page, written) = (version(page), std::fs::read_to_string(&path).unwrap_or_default());
    let changed: Vec<&str> =
        page.lines().filter(|line| !written.lines().any(|known| known == *line)).collect();
    assert!(written == page, "{PAGE} differs; UPDATE_EXPECTED=1 writes it anew:\n{}", changed.join("\n"));
}

const TENANT: &str = "A mapping gives `tenant-acme`, by the claim `tenant`, the scope `read:logs-tenant-*` and a role of the engine that \
    shows documents of `${attr.jwt.tenant}` only; scopes of the token itself do not count (`native_scopes: false`).";

fn tenant() -> RealConfig {
    let mapping = "\
mappings:
  - claim: {path: tenant, equals: acme}
    grant: {scopes: [\"read:logs-tenant-*\"], roles: [tenant_logs_reader]}
";
    RealConfig {
        provider: "    native_scopes: false\n".to_owned(),
        extra: mapping.to_owned(),
        ..RealConfig::default()
    }
}

const BACKEND_USER: &str = "A mapping sends what `read:logs-*` allows as the engine's user `tried_reader`.";

fn backend_user() -> RealConfig {
    let mapping = "\
mappings:
  - scope: \"read:logs-*\"
    grant: {scopes: [\"read:logs-*\"], backend_user: tried_reader}
";
    RealConfig {
        identity: "{backend_user: {users: {tried_reader: \"literal:Tried-Pass-2026!\"}}}".to_owned(),
        extra: mapping.to_owned(),
        ..RealConfig::default()
    }
}

/// One configuration and what is tried with it.
async fn part(title: &str, words: &str, config: &RealConfig, groups: Vec<Group>) -> String {
    let real = Real::start(config).await;
    let mut text = format!("\n## {title}\n\n{words}\n");
    for group in groups {
        text += &group.tried(&real).await;
    }
    text
}

/// Removes what earlier runs left.
async fn tidy(admin: &RestClient) {
    let alias = json!({"actions": [{"remove": {"index": "pii-customers", "alias": "logs-tried-alias"}}]});
    // What is not there cannot be removed, which is as well.
    let _ = admin.rest(&Method::POST, "/_aliases", Some(&alias)).await;
    for path in [
        "/logs-app-tried",
        "/logs-tried",
        "/logs-tried-new",
        "/secret-tried",
        "/_index_template/tried",
        "/_ingest/pipeline/tried",
    ] {
        let _ = admin.rest(&Method::DELETE, path, None).await;
    }
}
