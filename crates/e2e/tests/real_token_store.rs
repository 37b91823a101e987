//! The index of managed tokens on the real engine, shared by several proxies.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use access::{ClusterRules, Mapper, Scope, ScopesOnly};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::Timestamp;
use serde_json::Map;
use testbed::{RestClient, TestbedInfo};
use tokens::{
    Asked, Claims, Decision, EngineClient, Filter, Grounds, Issued, OpenSearchSettings, OpenSearchStore,
    Party, Policies, Presented, RefusalReason, RevocationOrder, Revoked, Rotation, Settings, StoreError,
    StoreKey, StoreKeys, Tokens, TokensError,
};

/// Sends requests as the engine's administrator.
#[derive(Debug)]
struct Admin(RestClient);

#[async_trait]
impl EngineClient for Admin {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        let (head, body) = request.into_parts();
        let bulk = head.headers.get("content-type").is_some_and(|kind| kind == "application/x-ndjson");
        let kind = if bulk { "application/x-ndjson" } else { "application/json" };
        let body = (!body.is_empty()).then_some((kind, body));
        let answer = self.0.send(&head.method, &head.uri.to_string(), body).await?;
        Ok(Response::builder().status(answer.status).body(answer.body.to_string().into())?)
    }
}

/// An index of its own for each test, removed when it starts and at its end.
struct Index {
    engine: RestClient,
    name: &'static str,
}

impl Index {
    async fn new(name: &'static str) -> Self {
        transport::install_crypto_provider();
        let testbed = TestbedInfo::from_env().map_err(|error| error.to_string()).unwrap();
        let index = Self { engine: testbed.engine.client().unwrap(), name };
        index.remove().await;
        index
    }

    async fn remove(&self) {
        let path = format!("/{}", self.name);
        let (status, answer) = self.engine.rest(&Method::DELETE, &path, None).await.unwrap();
        assert!(status.is_success() || status == 404, "{answer}");
    }

    async fn store(&self, letter: u8) -> Result<OpenSearchStore, StoreError> {
        let keys = StoreKeys::new(StoreKey::derive(&[letter; 32]).unwrap(), vec![]);
        let settings =
            OpenSearchSettings { index: self.name.into(), keys, max_stale: Duration::from_secs(10) };
        OpenSearchStore::open(Box::new(Admin(self.engine.clone())), settings).await
    }

    async fn proxy(&self) -> Tokens {
        let store = self.store(b'a').await.unwrap();
        Tokens::open(Arc::new(store), Settings::default()).await.unwrap()
    }
}

#[tokio::test]
async fn what_one_proxy_revokes_the_other_refuses_after_its_next_look() {
    let index = Index::new(".oauth-tokens-e2e-shared").await;
    let (one, two) = (index.proxy().await, index.proxy().await);
    let issued = issue(&one).await;
    assert_eq!(two.admit(&issued.secret, now()).unwrap_err().reason, RefusalReason::Unknown);
    two.follow().await.unwrap();
    assert_eq!(two.admit(&issued.secret, now()).unwrap().record(), issued.token.record());

    two.revoke(&issued.token.id, decision("bob")).await.unwrap();
    one.follow().await.unwrap();
    assert_eq!(one.admit(&issued.secret, now()).unwrap_err().reason, RefusalReason::Revoked);

    let of = Revoked::Subject("alice".into());
    let order = RevocationOrder { of, issuer: None, issued_before: None, until: None };
    let derived = issue(&one).await;
    two.follow().await.unwrap();
    let revocation = one.revoke_provider_tokens(order, decision("bob")).await.unwrap();
    two.follow().await.unwrap();
    assert_eq!(two.admit(&derived.secret, now()).unwrap_err().reason, RefusalReason::Revoked);
    assert!(two.withdraw_revocation(&revocation.id).await.unwrap());
    one.follow().await.unwrap();
    assert!(one.admit(&derived.secret, now()).is_ok());
    index.remove().await;
}

#[tokio::test]
async fn changes_at_the_same_time_are_told_apart() {
    let index = Index::new(".oauth-tokens-e2e-conflicts").await;
    let (one, two) = (index.proxy().await, index.proxy().await);
    let issued = issue(&one).await;
    two.follow().await.unwrap();
    let (first, second) = tokio::join!(
        one.revoke(&issued.token.id, decision("bob")),
        two.revoke(&issued.token.id, decision("carol")),
    );
    let changed = [first.unwrap().changed, second.unwrap().changed];
    assert_eq!(changed.iter().filter(|changed| **changed).count(), 1, "exactly one ended it: {changed:?}");

    let issued = issue(&one).await;
    two.follow().await.unwrap();
    one.revoke(&issued.token.id, decision("bob")).await.unwrap();
    let rotation = Rotation { overlap: Duration::ZERO, max_lifetime: Duration::from_secs(3600) };
    let rotated = two.rotate(&issued.token.id, rotation, decision("alice")).await;
    assert!(matches!(rotated, Err(TokensError::Status { .. })), "{rotated:?}");
    index.remove().await;
}

#[tokio::test]
async fn everything_is_read_again_at_a_start_and_nothing_of_it_is_readable_there() {
    let index = Index::new(".oauth-tokens-e2e-start").await;
    let one = index.proxy().await;
    let mut issued = Vec::new();
    for _ in 0..40 {
        issued.push(issue(&one).await);
    }
    issued[0].token.touch(now(), Some([192, 0, 2, 7].into()));
    one.maintain(now()).await.unwrap();
    let done = one.revoke_matching(Filter::default(), decision("bob"), false).await.unwrap();
    assert_eq!(done.revoked, 40);
    let kept = issue(&one).await;

    let two = index.proxy().await;
    assert!(two.admit(&kept.secret, now()).is_ok());
    for issued in &issued {
        assert_eq!(two.admit(&issued.secret, now()).unwrap_err().reason, RefusalReason::Revoked);
    }
    assert_eq!(two.get(&issued[0].token.id).unwrap().last_used(), issued[0].token.last_used());

    let path = format!("/{}/_search?size=100", index.name);
    let documents = index.engine.expect(&Method::GET, &path, None).await.unwrap().to_string();
    assert!(documents.contains(kept.token.id.as_str()), "the documents are there");
    for private in ["alice", "logs-", "192.0.2.7", kept.secret.expose()] {
        assert!(!documents.contains(private), "{private}");
    }
    let stranger = index.store(b'b').await.unwrap();
    assert!(
        Tokens::open(Arc::new(stranger), Settings::default()).await.is_err(),
        "another secret reads nothing"
    );
    index.remove().await;
    assert!(two.follow().await.is_err(), "an index that is gone is no index without news");
}

fn now() -> Timestamp {
    Timestamp::now()
}

fn party(name: &str) -> Party {
    let issuer = "https://id.example.com".into();
    Party { provider: "company".into(), issuer, subject: name.into(), client_id: None, user: None }
}

fn decision(name: &str) -> Decision {
    Decision::new(party(name), None, now()).unwrap()
}

async fn issue(tokens: &Tokens) -> Issued {
    let hour = Duration::from_secs(3600);
    let policies = Policies { default_lifetime: hour, max_lifetime: hour, policies: vec![] };
    let rules = ClusterRules { name: "main".into(), audience: None, only_cluster: true };
    let bearer = ScopesOnly(vec!["read:logs-*"]);
    let rights = Mapper::new(vec![], rules, true).unwrap().rights(&bearer);
    let scopes: Vec<Scope> = vec!["read:logs-app-*".parse().unwrap()];
    let asked = Asked { scopes: Some(scopes), ..Asked::default() };
    let terms = policies.judge(asked, &bearer, &[&rights]).unwrap();
    let grounds = Grounds {
        presenter: party("alice"),
        presented: Presented::default(),
        claims: Claims::new(&Map::new()).unwrap(),
        act: None,
        clusters: vec![],
        through: None,
    };
    tokens.issue(terms, grounds, now()).await.unwrap()
}
