use std::collections::BTreeSet;

use proptest::prelude::*;
use tokens::{Cursor, Filter, Reason, ReviewRules, Sort, SortKey, Status, TokenId, Tokens};

use crate::world::{Bearer, at, by, free, grounds, issue, open, party, scopes, seconds, terms};

fn names(tokens: &Tokens, filter: &Filter) -> Vec<String> {
    let page = tokens.list(filter, Sort::default(), 100, None, at(100));
    page.tokens.iter().map(|token| token.owner.subject.to_string()).collect()
}

#[tokio::test]
async fn filters_mean_what_meets_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let alice = issue(&tokens, "alice", "read:logs-*", 1).await;
    let bob = issue(&tokens, "bob", "write:app-1", 2).await;
    let mut elsewhere = grounds("carol");
    elsewhere.clusters = vec!["stage".into()];
    elsewhere.presenter.client_id = Some("batch".into());
    tokens.issue(terms(&free(), "read:x"), elsewhere, at(3)).await.unwrap();
    alice.token.touch(at(50), None);
    tokens.revoke(&bob.token.id, by("alice", at(4))).await.unwrap();

    let none = Filter::default;
    for (filter, found) in [
        (none(), "alice bob carol"),
        (Filter { of: Some(party("bob")), ..none() }, "bob"),
        (Filter { client_id: Some("console".into()), ..none() }, "alice bob"),
        (Filter { owner: Some("carol".into()), ..none() }, "carol"),
        (Filter { user: Some("alice@example.com".into()), ..none() }, "alice"),
        (Filter { scope: Some("read:logs-app".parse().unwrap()), ..none() }, "alice"),
        (Filter { scope: Some("admin:*".parse().unwrap()), ..none() }, "alice bob carol"),
        (Filter { cluster: Some("prod".into()), ..none() }, "alice bob"),
        (Filter { cluster: Some("stage".into()), ..none() }, "alice bob carol"),
        (Filter { status: Some(Status::Revoked), ..none() }, "bob"),
        (Filter { status: Some(Status::Active), client_id: Some("console".into()), ..none() }, "alice"),
        (Filter { created_by: Some("batch".into()), ..none() }, "carol"),
        (Filter { expires_before: Some(at(3602)), ..none() }, "alice"),
        (Filter { unused_since: Some(at(40)), ..none() }, "bob carol"),
    ] {
        assert_eq!(names(&tokens, &filter).join(" "), found, "{filter:?}");
    }
}

#[tokio::test]
async fn pages_follow_one_another_though_things_change() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    for second in 0..7 {
        issue(&tokens, "alice", "read:a", second).await;
    }
    let sort: Sort = "-created_at".parse().unwrap();
    let page = tokens.list(&Filter::default(), sort, 3, None, at(100));
    let made = |tokens: &[tokens::Token]| tokens.iter().map(|token| token.created_at).collect::<Vec<_>>();
    assert_eq!(made(&page.tokens), [at(6), at(5), at(4)]);
    issue(&tokens, "alice", "read:a", 50).await;
    let cursor = Cursor::parse(&page.next.unwrap().to_text(), sort).unwrap();
    let page = tokens.list(&Filter::default(), sort, 3, Some(&cursor), at(100));
    assert_eq!(made(&page.tokens), [at(3), at(2), at(1)]);
    let last = tokens.list(&Filter::default(), sort, 3, page.next.as_ref(), at(100));
    assert_eq!(made(&last.tokens), [at(0)]);
    assert!(last.next.is_none());

    assert!(Cursor::parse(&cursor.to_text(), Sort::default()).is_err(), "of another order");
    assert!(Cursor::parse("nonsense", sort).is_err());
    assert!("size".parse::<Sort>().is_err());
}

#[tokio::test]
async fn every_order_shows_each_token_once() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    for second in 0..5 {
        let issued = issue(&tokens, "alice", "read:a", second / 2).await;
        if second % 2 == 0 {
            issued.token.touch(at(60 - second), None);
        }
    }
    for by in [SortKey::CreatedAt, SortKey::ExpiresAt, SortKey::LastUsed, SortKey::Name] {
        for descending in [false, true] {
            let sort = Sort { by, descending };
            let (mut seen, mut cursor) = (Vec::<TokenId>::new(), None);
            loop {
                let page = tokens.list(&Filter::default(), sort, 2, cursor.as_ref(), at(100));
                seen.extend(page.tokens.iter().map(|token| token.id.clone()));
                match page.next {
                    Some(next) => cursor = Some(Cursor::parse(&next.to_text(), sort).unwrap()),
                    None => break,
                }
            }
            assert_eq!(seen.len(), 5, "{sort:?}");
            assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 5, "{sort:?}");
        }
    }
}

#[tokio::test]
async fn many_are_revoked_by_filter_after_a_look() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let alice = issue(&tokens, "alice", "read:a", 0).await;
    issue(&tokens, "alice", "read:b", 1).await;
    let bob = issue(&tokens, "bob", "read:a", 2).await;
    let of_alice = Filter { owner: Some("alice".into()), ..Filter::default() };

    let tried = tokens.revoke_matching(of_alice.clone(), by("carol", at(5)), true).await.unwrap();
    assert_eq!((tried.matched.len(), tried.revoked), (2, 0));
    assert!(tokens.admit(&alice.secret, at(5)).is_ok());
    let done = tokens.revoke_matching(of_alice.clone(), by("carol", at(5)), false).await.unwrap();
    assert_eq!((done.matched.len(), done.revoked), (2, 2));
    assert!(done.matched.iter().all(|token| token.status(at(5)) == Status::Revoked));
    assert!(tokens.admit(&alice.secret, at(5)).is_err() && tokens.admit(&bob.secret, at(5)).is_ok());
    let again = tokens.revoke_matching(of_alice, by("carol", at(6)), false).await.unwrap();
    assert_eq!(again.revoked, 0);
}

#[tokio::test]
async fn a_review_finds_what_somebody_should_look_at() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(folder.path()).await;
    let fine = issue(&tokens, "fine", "read:logs-*", 0).await;
    fine.token.touch(at(3000), None);
    issue(&tokens, "unused", "read:logs-*", 1).await;
    let broad = issue(&tokens, "broad", "read:*", 2).await;
    broad.token.touch(at(3000), None);
    let ended = issue(&tokens, "ended", "read:*", 3).await;
    tokens.revoke(&ended.token.id, by("carol", at(4))).await.unwrap();
    let line = issue(&tokens, "line", "read:a", 5).await;
    let rotation = tokens::Rotation { overlap: seconds(0), max_lifetime: seconds(86_400) };
    let line = tokens.rotate(&line.token.id, rotation, by("line", at(2500))).await.unwrap();
    line.issued.token.touch(at(3000), None);

    let rules = ReviewRules { unused_for: seconds(2000), long_lived: seconds(3200) };
    let found = tokens.review(&rules, &Filter::default(), at(3210));
    let told: Vec<_> = found
        .iter()
        .map(|finding| {
            (&*finding.token.owner.subject, finding.reasons.iter().map(Reason::as_str).collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(
        told,
        [("unused", vec!["unused"]), ("broad", vec!["over_broad"]), ("line", vec!["never_expiring"])]
    );

    let rules = ReviewRules { unused_for: seconds(86_400), long_lived: seconds(100) };
    let found = tokens.review(&rules, &Filter { owner: Some("fine".into()), ..Filter::default() }, at(3210));
    assert_eq!(found[0].reasons, [Reason::LongLived { expires_at: at(3600) }]);
}

proptest! {
    /// A filter by scope misses no token that could do what is looked for.
    #[test]
    fn scopes_that_share_a_name_meet(a in "[ab]{0,2}[*]?[ab]{0,1}", b in "[ab]{0,2}[*]?[ab]{0,1}", name in "[ab]{1,3}") {
        let (Ok(one), Ok(two)) = (format!("read:{a}").parse::<access::Scope>(), format!("read:{b}").parse::<access::Scope>()) else {
            return Ok(());
        };
        let exact = scopes(&format!("read:{name}")).remove(0);
        if exact.grant.within(&one.grant) && exact.grant.within(&two.grant) {
            prop_assert!(one.meets(&two) && two.meets(&one));
        }
        prop_assert!(Bearer::with(&one.to_string(), "").rights("prod").held_scopes().all(|held| held.meets(&one)));
    }
}
