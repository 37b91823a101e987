use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use tokens::{EmbeddedStore, LastUsed, RefusalReason, RevocationOrder, Revoked, StoreError};

use crate::world::{at, by, issue, open};

#[tokio::test]
async fn everything_is_there_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let kept = issue(&tokens, "alice", "read:logs-*", 0).await;
    let ended = issue(&tokens, "alice", "read:logs-*", 0).await;
    tokens.revoke(&ended.token.id, by("bob", at(1))).await.unwrap();
    let of = Revoked::Jti("stolen".into());
    let order = RevocationOrder { of, issuer: None, issued_before: None, until: None };
    let revocation = tokens.revoke_provider_tokens(order, by("bob", at(1))).await.unwrap();
    tokens.admit(&kept.secret, at(2)).unwrap().touch(at(2), Some([192, 0, 2, 1].into()));
    assert_eq!(tokens.maintain(at(3)).await.unwrap().last_uses, 1);
    let before = tokens.get(&ended.token.id).unwrap();
    drop(tokens);

    let tokens = open(folder.path()).await;
    let admitted = tokens.admit(&kept.secret, at(4)).unwrap();
    assert_eq!(admitted.record(), kept.token.record());
    assert_eq!(admitted.last_used(), Some(LastUsed { at: at(2), address: Some([192, 0, 2, 1].into()) }));
    assert_eq!(tokens.admit(&ended.secret, at(4)).unwrap_err().reason, RefusalReason::Revoked);
    assert_eq!(tokens.get(&ended.token.id).unwrap().record(), before.record());
    assert_eq!(tokens.revocations(), [revocation]);
}

#[tokio::test]
async fn no_secret_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let issued = issue(&tokens, "alice", "read:logs-*", 0).await;
    drop(tokens);
    let bytes = fs::read(folder.path().join("tokens.redb")).unwrap();
    let contains = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(contains(issued.token.id.as_str()), "the record is");
    assert!(!contains(issued.secret.expose()));
    assert!(!contains(&issued.secret.expose()[5..48]));
}

#[tokio::test]
async fn uses_are_stored_once_and_only_the_latest() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let issued = issue(&tokens, "alice", "read:logs-*", 0).await;
    for second in [5, 7, 7, 6] {
        issued.token.touch(at(second), Some([192, 0, 2, u8::try_from(second).unwrap()].into()));
    }
    assert_eq!(tokens.get(&issued.token.id).unwrap().last_used().unwrap().at, at(7), "shared by all handles");
    assert_eq!(tokens.maintain(at(8)).await.unwrap().last_uses, 1);
    assert_eq!(tokens.maintain(at(9)).await.unwrap().last_uses, 0);
}

#[tokio::test]
async fn what_ended_is_forgotten_after_the_retention() {
    const DAY: i64 = 86_400;
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let expires = issue(&tokens, "alice", "read:a", 0).await;
    let revoked = issue(&tokens, "alice", "read:b", 0).await;
    let later = issue(&tokens, "alice", "read:c", 40 * DAY).await;
    tokens.revoke(&revoked.token.id, by("bob", at(10))).await.unwrap();
    let of = Revoked::Jti("stolen".into());
    let order = RevocationOrder { of, issuer: None, issued_before: None, until: Some(at(40 * DAY)) };
    tokens.revoke_provider_tokens(order, by("bob", at(1))).await.unwrap();

    let done = tokens.maintain(at(30 * DAY + 20)).await.unwrap();
    assert_eq!((done.tokens, done.revocations), (1, 0), "the revoked one");
    assert!(tokens.get(&revoked.token.id).is_none());
    assert_eq!(tokens.admit(&revoked.secret, at(30 * DAY)).unwrap_err().reason, RefusalReason::Unknown);
    assert!(tokens.get(&expires.token.id).is_some());
    let done = tokens.maintain(at(40 * DAY)).await.unwrap();
    assert_eq!((done.tokens, done.revocations), (1, 1));
    drop(tokens);

    let tokens = open(folder.path()).await;
    assert!(tokens.get(&expires.token.id).is_none() && tokens.get(&revoked.token.id).is_none());
    assert!(tokens.admit(&later.secret, at(40 * DAY)).is_ok());
    assert!(tokens.revocations().is_empty());
}

#[test]
fn the_file_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.redb");
    drop(EmbeddedStore::open(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let error = EmbeddedStore::open(&path).unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.redb");
    let first = EmbeddedStore::open(&path).unwrap();
    let second = EmbeddedStore::open(&path).unwrap_err();
    assert!(second.to_string().contains("another process has it open"), "{second}");
    drop(first);

    let text = folder.path().join("notes.txt");
    fs::write(&text, "this is not a database at all").unwrap();
    fs::set_permissions(&text, Permissions::from_mode(0o600)).unwrap();
    let error = EmbeddedStore::open(&text).unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error}");
    assert_eq!(fs::read(&text).unwrap(), b"this is not a database at all", "left as it was");

    let nowhere = EmbeddedStore::open(&folder.path().join("missing/tokens.redb")).unwrap_err();
    assert!(nowhere.to_string().contains("missing/tokens.redb"), "{nowhere}");
    assert!(EmbeddedStore::open(folder.path()).is_err());
}
