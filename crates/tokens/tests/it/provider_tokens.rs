use tokens::{Credential, RefusalReason, RevocationOrder, Revoked};

use crate::world::{at, by, issue, open};

const ISSUER: &str = "https://id.example.com";

fn credential(issued: Option<i64>) -> Credential<'static> {
    Credential {
        issuer: ISSUER,
        subject: "alice",
        client_id: Some("console"),
        jti: Some("one"),
        issued_at: issued.map(at),
    }
}

#[tokio::test]
async fn provider_tokens_are_revoked_by_what_they_say() {
    let jti = || Revoked::Jti("one".into());
    let client = || Revoked::ClientId("console".into());
    let subject = || Revoked::Subject("alice".into());
    for (of, issuer, before, issued, revoked) in [
        (jti(), None, None, Some(0), true),
        (Revoked::Jti("two".into()), None, None, Some(0), false),
        (client(), None, None, Some(0), true),
        (Revoked::ClientId("alice".into()), None, None, Some(0), false),
        (subject(), None, None, None, true),
        (Revoked::Subject("one".into()), None, None, Some(0), false),
        (subject(), Some(ISSUER), None, Some(0), true),
        (subject(), Some("https://other.example.com"), None, Some(0), false),
        (subject(), None, Some(10), Some(9), true),
        (subject(), None, Some(10), Some(10), false),
        (client(), Some(ISSUER), Some(10), None, true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let tokens = open(folder.path()).await;
        let order = RevocationOrder {
            of,
            issuer: issuer.map(Into::into),
            issued_before: before.map(at),
            until: None,
        };
        let made = tokens.revoke_provider_tokens(order.clone(), by("bob", at(10))).await.unwrap();
        let found = tokens.is_revoked(&credential(issued));
        assert_eq!(found.is_some(), revoked, "{order:?} and {issued:?}");
        assert!(tokens.withdraw_revocation(&made.id).await.unwrap());
        assert!(tokens.is_revoked(&credential(issued)).is_none());
        assert!(!tokens.withdraw_revocation(&made.id).await.unwrap());
    }
}

#[tokio::test]
async fn what_was_made_from_a_revoked_token_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let alice = issue(&tokens, "alice", "read:a", 0).await;
    let bob = issue(&tokens, "bob", "read:a", 0).await;
    let of = Revoked::Jti("jti of alice".into());
    let order = RevocationOrder { of, issuer: None, issued_before: None, until: None };
    tokens.revoke_provider_tokens(order, by("carol", at(1))).await.unwrap();
    assert_eq!(tokens.admit(&alice.secret, at(1)).unwrap_err().reason, RefusalReason::Revoked);
    assert!(!tokens.is_still_admitted(&alice.token.id, at(1)));
    assert!(tokens.admit(&bob.secret, at(1)).is_ok());
    let rotation =
        tokens::Rotation { overlap: std::time::Duration::ZERO, max_lifetime: std::time::Duration::MAX };
    assert!(tokens.rotate(&alice.token.id, rotation, by("alice", at(2))).await.is_err(), "no way around it");
}
