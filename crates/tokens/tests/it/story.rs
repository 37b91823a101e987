use std::sync::Arc;

use tokens::{
    Approval, EmbeddedStore, Policies, Policy, RefusalReason, Rotation, Secret, Settings, Status, Tokens,
    TokensError,
};

use crate::world::{at, by, free, grounds, issue, open, open_with, party, scopes, seconds, terms};

#[tokio::test]
async fn a_token_is_admitted_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let issued = issue(&tokens, "alice", "read:logs-*", 0).await;
    assert_eq!(issued.token.status(at(0)), Status::Active);
    assert_eq!(issued.token.expires_at, at(3600));

    let admitted = tokens.admit(&issued.secret, at(3599)).unwrap();
    assert_eq!(admitted.id, issued.token.id);
    assert_eq!(admitted.scopes, scopes("read:logs-*"));
    assert_eq!(admitted.claims.to_map()["sub"], "alice");
    let refused = tokens.admit(&issued.secret, at(3600)).unwrap_err();
    assert_eq!((refused.reason, refused.token_id), (RefusalReason::Expired, Some(issued.token.id.clone())));

    let stranger = tokens.admit(&Secret::generate().unwrap(), at(0)).unwrap_err();
    assert_eq!((stranger.reason, stranger.token_id), (RefusalReason::Unknown, None));
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_revoking_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let issued = issue(&tokens, "alice", "read:logs-*", 0).await;
    let id = &issued.token.id;
    assert!(tokens.is_still_admitted(id, at(1)));

    let revoked = tokens.revoke(id, by("carol", at(10))).await.unwrap();
    assert!(revoked.changed);
    assert_eq!(tokens.admit(&issued.secret, at(10)).unwrap_err().reason, RefusalReason::Revoked);
    assert!(!tokens.is_still_admitted(id, at(10)));
    let again = tokens.revoke(id, by("dave", at(20))).await.unwrap();
    assert!(!again.changed);
    assert_eq!(again.token.record(), revoked.token.record(), "who revoked it first is kept");

    let unknown = "tok_aaaaaaaaaaaaaaaaaaaa".parse().unwrap();
    assert!(matches!(tokens.revoke(&unknown, by("carol", at(10))).await, Err(TokensError::NotFound(_))));
}

#[tokio::test]
async fn rotation_leaves_both_for_the_overlap() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let first = issue(&tokens, "alice", "read:logs-*", 0).await;
    let rotation = Rotation { overlap: seconds(60), max_lifetime: seconds(86_400) };
    let rotated = tokens.rotate(&first.token.id, rotation, by("alice", at(1800))).await.unwrap();
    let second = &rotated.issued;

    assert_eq!(second.token.expires_at, at(1800 + 3600), "as long as the first was made for");
    assert_eq!(second.token.rotated_from.as_ref(), Some(&first.token.id));
    assert_eq!(rotated.old.rotated_to.as_ref(), Some(&second.token.id));
    assert_eq!((second.token.scopes.clone(), second.token.line_since), (first.token.scopes.clone(), at(0)));
    assert!(tokens.admit(&first.secret, at(1859)).is_ok() && tokens.admit(&second.secret, at(1859)).is_ok());
    assert_eq!(tokens.admit(&first.secret, at(1860)).unwrap_err().reason, RefusalReason::Expired);

    let again = tokens.rotate(&first.token.id, rotation, by("alice", at(1810))).await;
    assert!(matches!(again, Err(TokensError::AlreadyRotated { .. })), "{again:?}");

    let short = Rotation { overlap: seconds(0), max_lifetime: seconds(100) };
    let third = tokens.rotate(&second.token.id, short, by("alice", at(2000))).await.unwrap();
    assert_eq!(third.issued.token.expires_at, at(2100), "policy has become stricter meanwhile");
    assert_eq!(third.old.status(at(2000)), Status::Revoked);
    let dead = tokens.rotate(&third.issued.token.id, short, by("alice", at(2100))).await;
    assert!(matches!(dead, Err(TokensError::Status { status: Status::Expired, .. })), "{dead:?}");
}

#[tokio::test]
async fn an_overlap_never_prolongs_the_old_token() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let first = issue(&tokens, "alice", "read:logs-*", 0).await;
    let rotation = Rotation { overlap: seconds(7200), max_lifetime: seconds(86_400) };
    let rotated = tokens.rotate(&first.token.id, rotation, by("alice", at(3000))).await.unwrap();
    assert_eq!(rotated.old.expires_at, at(3600));
}

fn with_approval() -> Policies {
    let policy = Policy {
        name: "writers".into(),
        when: None,
        scopes: scopes("write:*"),
        max_lifetime: Some(seconds(600)),
        require: vec![],
        approval: Approval::Required,
        for_others: false,
    };
    Policies { policies: vec![policy], ..free() }
}

#[tokio::test]
async fn a_token_that_needs_approval_works_once_somebody_else_approved_it() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let terms = terms(&with_approval(), "write:app-*");
    assert_eq!((terms.approval(), terms.policy()), (Approval::Required, Some("writers")));
    let issued = tokens.issue(terms, grounds("alice"), at(0)).await.unwrap();
    assert_eq!(tokens.admit(&issued.secret, at(1)).unwrap_err().reason, RefusalReason::Pending);

    let id = &issued.token.id;
    let own = tokens.approve(id, by("alice", at(1))).await;
    assert!(matches!(own, Err(TokensError::OwnRequest(_))), "{own:?}");
    let mut same_user = by("alice", at(1));
    same_user.by.subject = "another subject at another client".into();
    let own = tokens.approve(id, same_user).await;
    assert!(matches!(own, Err(TokensError::OwnRequest(_))), "one person stays one at every client: {own:?}");

    let approved = tokens.approve(id, by("bob", at(1000))).await.unwrap();
    assert_eq!(approved.expires_at, at(1600), "the time of waiting is not taken off");
    assert!(tokens.admit(&issued.secret, at(1599)).is_ok());
    assert_eq!(approved.lifetime(), seconds(600));
    let twice = tokens.deny(id, by("bob", at(1001))).await;
    assert!(matches!(twice, Err(TokensError::Status { status: Status::Active, .. })), "{twice:?}");
}

#[tokio::test]
async fn a_token_that_was_denied_or_never_approved_stays_useless() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let policies = with_approval();
    let denied = tokens.issue(terms(&policies, "write:app-*"), grounds("alice"), at(0)).await.unwrap();
    tokens.deny(&denied.token.id, by("bob", at(5))).await.unwrap();
    assert_eq!(tokens.admit(&denied.secret, at(6)).unwrap_err().reason, RefusalReason::Denied);

    let forgotten = tokens.issue(terms(&policies, "write:app-*"), grounds("alice"), at(0)).await.unwrap();
    let late = at(7 * 86_400);
    assert_eq!(tokens.admit(&forgotten.secret, late).unwrap_err().reason, RefusalReason::Expired);
    let late = tokens.approve(&forgotten.token.id, by("bob", late)).await;
    assert!(matches!(late, Err(TokensError::Status { status: Status::Expired, .. })), "{late:?}");
}

#[tokio::test]
async fn there_is_an_end_to_how_many_can_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { max_tokens: 3, max_per_owner: 2, ..Settings::default() };
    let tokens = open_with(folder.path(), settings).await;
    let first = issue(&tokens, "alice", "read:a", 0).await;
    issue(&tokens, "alice", "read:b", 0).await;
    let more = |name: &'static str| tokens.issue(terms(&free(), "read:c"), grounds(name), at(1));
    assert!(matches!(more("alice").await, Err(TokensError::OwnerFull(2))));
    tokens.revoke(&first.token.id, by("alice", at(1))).await.unwrap();
    more("alice").await.unwrap();
    assert!(matches!(more("bob").await, Err(TokensError::Full(3))));
}

#[tokio::test]
async fn a_change_goes_on_when_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let issued = issue(&tokens, "alice", "read:a", 0).await;
    let revoke = tokens.revoke(&issued.token.id, by("alice", at(1)));
    // Polled once, which begins it, and then dropped.
    let begun = tokio::time::timeout(seconds(0), revoke).await;
    drop(begun);
    // The next change waits for the one before.
    issue(&tokens, "bob", "read:a", 2).await;
    assert_eq!(tokens.admit(&issued.secret, at(2)).unwrap_err().reason, RefusalReason::Revoked);
}

#[tokio::test]
async fn changes_at_the_same_time_all_happen() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&folder.path().join("tokens.redb")).unwrap();
    let tokens = Tokens::open(Arc::new(store), Settings::default()).await.unwrap();
    let issued = issue(&tokens, "alice", "read:a", 0).await;
    let ends = (1..=8).map(|second| {
        let (tokens, id) = (tokens.clone(), issued.token.id.clone());
        tokio::spawn(async move { tokens.revoke(&id, by("bob", at(second))).await.unwrap().changed })
    });
    let mut changed = 0;
    for end in ends.collect::<Vec<_>>() {
        changed += usize::from(end.await.unwrap());
    }
    assert_eq!(changed, 1, "exactly one of them ended it");
    assert_eq!(tokens.get(&issued.token.id).unwrap().created_by, party("alice"));
}
