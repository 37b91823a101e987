//! Sets of Cedar policies and their versions.

use std::sync::Arc;

use tempfile::TempDir;
use tokens::{
    OpenSearchSettings, OpenSearchStore, PolicyDraft, PolicyVersion, Settings, StoreKey, StoreKeys, Tokens,
    TokensError,
};

use crate::engine::Engine;
use crate::world::{at, by, open, seconds};

const SET: &str = "company";

fn draft(set: &str, text: &str) -> PolicyDraft {
    PolicyDraft { set: set.into(), text: text.into(), written: by("alice", at(0)), restored_from: None }
}

async fn write(tokens: &Tokens, text: &str, replaces: u32) -> Result<PolicyVersion, TokensError> {
    tokens.write_policies(draft(SET, text), replaces).await
}

#[track_caller]
fn changed(outcome: Result<PolicyVersion, TokensError>) -> u32 {
    match outcome.unwrap_err() {
        TokensError::PoliciesChanged { current, .. } => current,
        error => panic!("{error}"),
    }
}

fn numbers(tokens: &Tokens) -> Vec<u32> {
    tokens.policy_versions(SET).iter().map(|version| version.version).collect()
}

#[tokio::test]
async fn each_version_follows_the_one_that_it_replaces() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    let tokens = open(path).await;
    assert_eq!(tokens.current_policies(SET), None);
    assert_eq!(changed(write(&tokens, "a", 1).await), 0);
    assert_eq!(write(&tokens, "a", 0).await.unwrap().version, 1);
    assert_eq!(changed(write(&tokens, "b", 0).await), 1);
    let mut watched = tokens.watch_policies();
    let restored = PolicyDraft { restored_from: Some(1), ..draft(SET, "b") };
    assert_eq!(tokens.write_policies(restored, 1).await.unwrap().version, 2);
    assert!(watched.has_changed().unwrap());
    watched.mark_unchanged();
    tokens.write_policies(draft("other", "c"), 0).await.unwrap();
    drop(tokens);

    let again = open(path).await;
    let current = again.current_policies(SET).unwrap();
    assert_eq!((&*current.text, current.version, current.restored_from), ("b", 2, Some(1)));
    assert_eq!(current.written, by("alice", at(0)));
    assert_eq!(numbers(&again), [2, 1]);
    let too_long = "/".repeat(PolicyVersion::MAX_TEXT + 1);
    assert!(matches!(write(&again, &too_long, 2).await, Err(TokensError::PoliciesTooLong(_))));
}

#[tokio::test]
async fn of_two_that_replace_the_same_version_one_does() {
    let folder = TempDir::new().unwrap();
    let tokens = open(folder.path()).await;
    let (one, two) = tokio::join!(write(&tokens, "one", 0), write(&tokens, "two", 0));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");

    let engine = Engine::default();
    let proxy = async || {
        let keys = StoreKeys::new(StoreKey::derive(&[b'a'; 32]).unwrap(), vec![]);
        let settings = OpenSearchSettings { index: ".oauth-tokens".into(), keys, max_stale: seconds(10) };
        let store = OpenSearchStore::open(Box::new(engine.clone()), settings).await.unwrap();
        Tokens::open(Arc::new(store), Settings::default()).await.unwrap()
    };
    let (one, two) = (proxy().await, proxy().await);
    write(&one, "one", 0).await.unwrap();
    // The other has not heard of it, and finds out as it writes.
    assert_eq!(two.current_policies(SET), None);
    assert_eq!(changed(write(&two, "two", 0).await), 1);
    assert_eq!(&*two.current_policies(SET).unwrap().text, "one");
    write(&two, "two", 1).await.unwrap();
    let watched = one.watch_policies();
    one.follow().await.unwrap();
    assert!(watched.has_changed().unwrap());
    assert_eq!(numbers(&one), [2, 1]);
    assert_eq!(numbers(&proxy().await), [2, 1]);
}

#[tokio::test]
async fn the_oldest_are_forgotten() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    let tokens = open(path).await;
    let most = u32::try_from(PolicyVersion::MAX_KEPT).unwrap();
    for version in 0..most + 2 {
        write(&tokens, "a", version).await.unwrap();
    }
    let expected: Vec<u32> = (3..=most + 2).rev().collect();
    assert_eq!(numbers(&tokens), expected);
    drop(tokens);
    let again = open(path).await;
    assert_eq!(numbers(&again), expected);

    let long = "/".repeat(PolicyVersion::MAX_TEXT);
    let fitting = u32::try_from(PolicyVersion::MAX_KEPT_TEXT / PolicyVersion::MAX_TEXT).unwrap();
    for version in most + 2..most + 3 + fitting {
        write(&again, &long, version).await.unwrap();
    }
    assert_eq!(numbers(&again).len(), usize::try_from(fitting).unwrap());
}
