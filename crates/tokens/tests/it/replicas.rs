//! Several proxies that share an index.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokens::{
    Credential, Filter, OpenSearchSettings, OpenSearchStore, RefusalReason, RevocationOrder, Revoked,
    Rotation, Settings, Sort, Status, StoreError, StoreKey, StoreKeys, Tokens, TokensError,
};
use tokio::time::advance;

use crate::engine::Engine;
use crate::world::{by, free, grounds, seconds, terms};

const MAX_STALE: Duration = Duration::from_secs(10);

fn key(letter: u8) -> StoreKey {
    StoreKey::derive(&[letter; 32]).unwrap()
}

async fn store(engine: &Engine, keys: StoreKeys) -> Result<OpenSearchStore, StoreError> {
    let settings =
        OpenSearchSettings { index: OpenSearchStore::DEFAULT_INDEX.into(), keys, max_stale: MAX_STALE };
    OpenSearchStore::open(Box::new(engine.clone()), settings).await
}

async fn proxy(engine: &Engine) -> Tokens {
    let store = store(engine, StoreKeys::new(key(b'a'), vec![])).await.unwrap();
    Tokens::open(Arc::new(store), Settings::default()).await.unwrap()
}

fn now() -> Timestamp {
    Timestamp::now()
}

async fn issue(tokens: &Tokens, name: &str) -> tokens::Issued {
    tokens.issue(terms(&free(), "read:logs-*"), grounds(name), now()).await.unwrap()
}

#[tokio::test]
async fn what_one_proxy_does_holds_at_the_other_once_it_looked() {
    let engine = Engine::default();
    let (one, two) = (proxy(&engine).await, proxy(&engine).await);
    let issued = issue(&one, "alice").await;
    assert_eq!(two.admit(&issued.secret, now()).unwrap_err().reason, RefusalReason::Unknown);
    assert_eq!(two.follow().await.unwrap(), 1);
    assert_eq!(two.admit(&issued.secret, now()).unwrap().record(), issued.token.record());
    assert_eq!(two.follow().await.unwrap(), 0, "told once");

    two.revoke(&issued.token.id, by("bob", now())).await.unwrap();
    assert_eq!(two.admit(&issued.secret, now()).unwrap_err().reason, RefusalReason::Revoked);
    one.follow().await.unwrap();
    assert_eq!(one.admit(&issued.secret, now()).unwrap_err().reason, RefusalReason::Revoked);
    assert_eq!(one.get(&issued.token.id).unwrap().record(), two.get(&issued.token.id).unwrap().record());
}

#[tokio::test]
async fn a_look_at_nothing_new_costs_one_small_request() {
    let engine = Engine::default();
    let (one, two) = (proxy(&engine).await, proxy(&engine).await);
    issue(&one, "alice").await;
    two.follow().await.unwrap();
    let before = engine.requests();
    two.follow().await.unwrap();
    assert_eq!(engine.requests() - before, 1);
}

#[tokio::test]
async fn revocations_of_provider_tokens_come_and_go_everywhere() {
    let engine = Engine::default();
    let (one, two) = (proxy(&engine).await, proxy(&engine).await);
    let order = RevocationOrder {
        of: Revoked::Subject("alice".into()),
        issuer: None,
        issued_before: None,
        until: None,
    };
    let made = one.revoke_provider_tokens(order, by("bob", now())).await.unwrap();
    let credential =
        Credential { issuer: "i", subject: "alice", client_id: None, jti: None, issued_at: None };
    assert!(two.is_revoked(&credential).is_none());
    two.follow().await.unwrap();
    assert_eq!(two.is_revoked(&credential).unwrap(), made);
    assert!(two.withdraw_revocation(&made.id).await.unwrap());
    one.follow().await.unwrap();
    assert!(one.is_revoked(&credential).is_none());
    let fresh = proxy(&engine).await;
    assert!(fresh.is_revoked(&credential).is_none());
}

#[tokio::test]
async fn who_comes_second_sees_what_the_first_did() {
    let engine = Engine::default();
    let (one, two) = (proxy(&engine).await, proxy(&engine).await);
    let issued = issue(&one, "alice").await;
    two.follow().await.unwrap();
    assert!(one.revoke(&issued.token.id, by("bob", now())).await.unwrap().changed);
    let second = two.revoke(&issued.token.id, by("carol", now())).await.unwrap();
    assert!(!second.changed, "it had ended, though this proxy did not know yet");
    let rotation = Rotation { overlap: seconds(60), max_lifetime: seconds(3600) };

    let issued = issue(&one, "alice").await;
    two.follow().await.unwrap();
    one.revoke(&issued.token.id, by("bob", now())).await.unwrap();
    let documents = engine.count();
    let rotated = two.rotate(&issued.token.id, rotation, by("alice", now())).await;
    assert!(matches!(rotated, Err(TokensError::Status { status: Status::Revoked, .. })), "{rotated:?}");
    assert_eq!(engine.count(), documents, "nothing is left of the rotation");
}

#[tokio::test]
async fn many_are_revoked_though_another_proxy_was_faster_with_some() {
    let engine = Engine::default();
    let (one, two) = (proxy(&engine).await, proxy(&engine).await);
    let mut made = Vec::new();
    for _ in 0..6 {
        made.push(issue(&one, "alice").await);
    }
    two.follow().await.unwrap();
    one.revoke(&made[1].token.id, by("bob", now())).await.unwrap();
    one.revoke(&made[4].token.id, by("bob", now())).await.unwrap();
    let of_alice = Filter { owner: Some("alice".into()), ..Filter::default() };
    two.revoke_matching(of_alice, by("carol", now()), false).await.unwrap();
    one.follow().await.unwrap();
    for issued in &made {
        assert!(one.admit(&issued.secret, now()).is_err() && two.admit(&issued.secret, now()).is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn without_news_for_too_long_no_token_is_accepted() {
    let engine = Engine::default();
    let tokens = proxy(&engine).await;
    let issued = issue(&tokens, "alice").await;
    engine.reachable(false);
    assert!(tokens.follow().await.is_err());
    advance(MAX_STALE).await;
    assert!(tokens.admit(&issued.secret, now()).is_ok());
    advance(Duration::from_millis(1)).await;
    assert_eq!(tokens.admit(&issued.secret, now()).unwrap_err().reason, RefusalReason::Stale);
    assert!(!tokens.is_still_admitted(&issued.token.id, now()));
    assert!(
        tokens.revoke(&issued.token.id, by("bob", now())).await.is_err(),
        "not acknowledged, since not kept"
    );

    engine.reachable(true);
    engine.partial(true);
    assert!(matches!(tokens.follow().await, Err(StoreError::Incomplete)));
    engine.partial(false);
    tokens.follow().await.unwrap();
    assert!(tokens.admit(&issued.secret, now()).is_ok());
}

#[tokio::test]
async fn a_clock_that_is_set_makes_news_neither_older_nor_newer() {
    let engine = Engine::default();
    let tokens = proxy(&engine).await;
    let issued = issue(&tokens, "alice").await;
    let stepped = |step: i64| tokens.admit(&issued.secret, now() + jiff::SignedDuration::from_secs(step));
    for step in [60, -60, -3600, 0] {
        assert!(stepped(step).is_ok(), "{step}: {:?}", stepped(step));
    }
}

/// A write gets its number before it can be found, so one can be overtaken.
#[tokio::test]
async fn a_write_that_turns_up_late_is_learnt_too() {
    let engine = Engine::default();
    let (one, two) = (proxy(&engine).await, proxy(&engine).await);
    let slow = issue(&one, "alice").await;
    engine.hide(slow.token.id.as_str());
    let fast = issue(&one, "bob").await;
    two.follow().await.unwrap();
    assert!(two.admit(&fast.secret, now()).is_ok() && two.admit(&slow.secret, now()).is_err());
    engine.show_all();
    two.follow().await.unwrap();
    assert!(two.admit(&slow.secret, now()).is_ok());
}

#[tokio::test]
async fn a_write_that_turns_up_late_after_a_start_is_learnt_too() {
    let engine = Engine::default();
    let one = proxy(&engine).await;
    engine.skip_numbers(100_000);
    let slow = issue(&one, "alice").await;
    engine.hide(slow.token.id.as_str());
    engine.skip_numbers(1000);
    issue(&one, "bob").await;
    let two = proxy(&engine).await;
    engine.show_all();
    two.follow().await.unwrap();
    assert!(two.admit(&slow.secret, now()).is_ok());
}

#[tokio::test]
async fn nothing_can_be_read_in_the_index() {
    let engine = Engine::default();
    let tokens = proxy(&engine).await;
    let issued = issue(&tokens, "alice").await;
    issued.token.touch(now(), Some([192, 0, 2, 7].into()));
    tokens.maintain(now()).await.unwrap();
    let text = engine.text();
    assert!(text.contains(issued.token.id.as_str()) && text.contains("use_tok_"));
    for private in ["alice", "nightly", "logs", "192.0.2", "console", issued.secret.expose()] {
        assert!(!text.contains(private), "{private} in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_wrote_into_the_index_opens_nothing() {
    let engine = Engine::default();
    let (one, two) = (proxy(&engine).await, proxy(&engine).await);
    let alice = issue(&one, "alice").await;
    let bob = issue(&one, "bob").await;
    let before = engine.source(alice.token.id.as_str());
    one.revoke(&alice.token.id, by("carol", now())).await.unwrap();
    two.follow().await.unwrap();

    engine.overwrite(alice.token.id.as_str(), before);
    two.follow().await.unwrap();
    assert_eq!(
        two.admit(&alice.secret, now()).unwrap_err().reason,
        RefusalReason::Revoked,
        "what ended stays ended"
    );

    engine.overwrite(alice.token.id.as_str(), engine.source(bob.token.id.as_str()));
    let moved = two.follow().await;
    assert!(matches!(moved, Err(StoreError::Sealed { .. })), "{moved:?}");
    let again = two.follow().await;
    assert!(again.is_err(), "it is not passed over the next time: {again:?}");
    advance(MAX_STALE + Duration::from_millis(1)).await;
    assert_eq!(two.admit(&bob.secret, now()).unwrap_err().reason, RefusalReason::Stale);
    let forged = json!({"kind": "withdrawn", "key": "0000000000000000", "sealed": "AAAA"});
    engine.overwrite("rev_aaaaaaaaaaaaaaaaaaaa", forged);
    let store = store(&engine, StoreKeys::new(key(b'a'), vec![])).await.unwrap();
    assert!(Tokens::open(Arc::new(store), Settings::default()).await.is_err());
}

#[tokio::test]
async fn a_start_reads_everything_however_much_there_is() {
    let engine = Engine::default();
    let tokens = proxy(&engine).await;
    for _ in 0..1100 {
        issue(&tokens, "alice").await;
        if engine.count() == 600 {
            tokens.revoke_matching(Filter::default(), by("bob", now()), false).await.unwrap();
        }
    }
    let fresh = proxy(&engine).await;
    let all = |tokens: &Tokens| {
        let page = tokens.list(&Filter::default(), Sort::default(), usize::MAX, None, now());
        page.tokens.iter().map(|token| (token.record().clone(), token.version())).collect::<Vec<_>>()
    };
    assert_eq!(all(&fresh).len(), 1100);
    assert_eq!(all(&fresh), all(&tokens));
}

#[tokio::test]
async fn the_secret_can_be_changed_without_losing_tokens() {
    let engine = Engine::default();
    let old = proxy(&engine).await;
    let (issued, kept) = (issue(&old, "alice").await, issue(&old, "bob").await);
    kept.token.touch(now(), None);
    old.maintain(now()).await.unwrap();
    let changed = StoreKeys::new(key(b'b'), vec![key(b'a')]);
    let tokens =
        Tokens::open(Arc::new(store(&engine, changed).await.unwrap()), Settings::default()).await.unwrap();
    assert!(tokens.admit(&issued.secret, now()).is_ok());
    tokens.revoke(&issued.token.id, by("bob", now())).await.unwrap();
    tokens.follow().await.unwrap();
    assert_eq!(tokens.maintain(now()).await.unwrap().encrypted_anew, 2, "what nobody wrote since");
    assert_eq!(tokens.maintain(now()).await.unwrap().encrypted_anew, 0);

    let only_new = StoreKeys::new(key(b'b'), vec![]);
    let fresh =
        Tokens::open(Arc::new(store(&engine, only_new).await.unwrap()), Settings::default()).await.unwrap();
    assert_eq!(fresh.get(&issued.token.id).unwrap().status(now()), Status::Revoked);
    assert_eq!(fresh.get(&kept.token.id).unwrap().last_used(), kept.token.last_used());
    assert!(fresh.admit(&kept.secret, now()).is_ok());
    tokens.revoke(&kept.token.id, by("bob", now())).await.unwrap();
    fresh.follow().await.unwrap();
    assert!(fresh.admit(&kept.secret, now()).is_err());
}

#[tokio::test]
async fn last_uses_are_kept_and_what_ended_is_forgotten_by_all() {
    let engine = Engine::default();
    let (one, two) = (proxy(&engine).await, proxy(&engine).await);
    let issued = issue(&one, "alice").await;
    issued.token.touch(now(), None);
    one.maintain(now()).await.unwrap();
    two.follow().await.unwrap();
    let fresh = proxy(&engine).await;
    assert_eq!(fresh.get(&issued.token.id).unwrap().last_used(), issued.token.last_used());

    let later = now() + seconds(40 * 86_400);
    for tokens in [&one, &two, &fresh] {
        assert_eq!(tokens.maintain(later).await.unwrap().tokens, 1);
        assert!(tokens.get(&issued.token.id).is_none());
    }
    assert_eq!(engine.count(), 0);
    one.follow().await.unwrap();
    assert!(one.get(&issued.token.id).is_none());
}

#[tokio::test]
async fn an_index_of_somebody_else_is_left_alone() {
    let name = OpenSearchStore::DEFAULT_INDEX;
    for (index, problem) in [
        (
            json!({name: {"mappings": {}, "settings": {"index": {"number_of_shards": "1"}}}}),
            "not made by the proxy",
        ),
        (
            json!({name: {"mappings": {"_meta": {"form": 1}}, "settings": {"index": {"number_of_shards": "5"}}}}),
            "more than one shard",
        ),
        (
            json!({name: {"mappings": {"_meta": {"form": 2}}, "settings": {"index": {"number_of_shards": "1"}}}}),
            "newer proxy",
        ),
    ] {
        let error = store(&Engine::with_index(index), StoreKeys::new(key(b'a'), vec![])).await.unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
    }
    for index in ["", "a", "Tokens", "_all", "a,b", "a*", "..", "-a"] {
        let keys = StoreKeys::new(key(b'a'), vec![]);
        let settings = OpenSearchSettings { index: index.into(), keys, max_stale: MAX_STALE };
        let opened = OpenSearchStore::open(Box::new(Engine::default()), settings).await;
        assert!(matches!(opened, Err(StoreError::Open { .. })), "{index}");
    }
}
