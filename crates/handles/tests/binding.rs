//! A handle is of use to its owner only, unchanged, where it was made.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use handles::{Binding, Key, KeyError, Keys, Kind, Owner, Reach, UnknownHandle};
use proptest::prelude::*;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const OTHER_SECRET: &[u8] = b"0123456789abcdef0123456789abcdeF";
const SCROLL: &str = "FGluY2x1ZGVfY29udGV4dF91dWlkDXF1ZXJ5QW5kRmV0Y2gBFk==";

fn key(secret: &[u8]) -> Key {
    Key::derive(secret).unwrap()
}

fn keys() -> Keys {
    key(SECRET).into()
}

fn alice() -> Owner {
    Owner::new(b"keycloak", b"alice", Some(b"app"), Some(b"u-1"))
}

fn binding(owner: &Owner) -> Binding<'_> {
    Binding { cluster: "main", kind: Kind::Scroll, owner }
}

fn reach(path: &str) -> Reach {
    Reach::of(&rest::classify("GET", path, None).unwrap().needs).unwrap()
}

#[test]
fn the_owner_gets_the_engines_handle_and_what_its_use_needs() {
    let owner = alice();
    for (path, needs) in [
        ("/logs-*/_search", vec!["read on logs-*"]),
        ("/a,b,eu:c-*/_search", vec!["read on a", "read on b", "read on eu:c-*"]),
        ("/_search", vec!["read on *"]),
        ("/.kibana*/_search", vec!["read on .kibana*"]),
        ("/%3Clogs-%7Bnow%2Fd%7D%3E/_search", vec!["read on logs-*"]),
    ] {
        let wrapped = keys().wrap(&binding(&owner), &reach(path), SCROLL).unwrap();
        let used = keys().unwrap(&binding(&owner), wrapped.as_str()).unwrap().reach;
        assert_eq!(used.needs().map(|need| need.to_string()).collect::<Vec<_>>(), needs, "{path}");
        assert!(used.needs().all(|need| need.origin == rest::Origin::Handle));
    }
}

#[test]
fn several_actions_stay_apart() {
    let ask = rest::classify("POST", "/from/_clone/to", None).unwrap();
    let reach = Reach::of(&ask.needs).unwrap();
    let owner = alice();
    let task = Binding { kind: Kind::Task, ..binding(&owner) };
    let wrapped = keys().wrap(&task, &reach, "node:12").unwrap();
    let used = keys().unwrap(&task, wrapped.as_str()).unwrap();
    assert_eq!(used.reach, reach);
    assert_eq!(used.original, "node:12");
    assert!(reach.to_string().contains("read:from"), "{reach}");
}

#[test]
fn what_reaches_no_index_has_no_reach() {
    let ask = rest::classify("GET", "/_cluster/health", None).unwrap();
    assert_eq!(Reach::of(&ask.needs), None);
}

#[test]
fn another_caller_cluster_or_kind_finds_nothing() {
    let owner = alice();
    let wrapped = keys().wrap(&binding(&owner), &reach("/logs/_search"), SCROLL).unwrap();
    let others = [
        Owner::new(b"okta", b"alice", Some(b"app"), Some(b"u-1")),
        Owner::new(b"keycloak", b"bob", Some(b"app"), Some(b"u-1")),
        Owner::new(b"keycloak", b"alice", Some(b"other"), Some(b"u-1")),
        Owner::new(b"keycloak", b"alice", None, Some(b"u-1")),
        Owner::new(b"keycloak", b"alice", Some(b""), Some(b"u-1")),
        Owner::new(b"keycloak", b"alice", Some(b"app"), Some(b"u-2")),
        Owner::new(b"keycloak", b"alice", Some(b"app"), None),
        Owner::new(b"keycloakalice", b"", Some(b"app"), Some(b"u-1")),
        Owner::new(b"keycloak", b"alice", Some(b"appu-1"), None),
    ];
    for other in &others {
        assert_eq!(keys().unwrap(&binding(other), wrapped.as_str()), Err(UnknownHandle), "{other:?}");
    }
    let elsewhere = Binding { cluster: "mai", ..binding(&owner) };
    assert_eq!(keys().unwrap(&elsewhere, wrapped.as_str()), Err(UnknownHandle));
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Scroll) {
        let as_kind = Binding { kind, ..binding(&owner) };
        assert_eq!(keys().unwrap(&as_kind, wrapped.as_str()), Err(UnknownHandle), "{kind}");
    }
}

#[test]
fn what_was_never_wrapped_is_unknown() {
    let owner = alice();
    for text in ["", "_all", "node:12", SCROLL, "oph1", "oph1.", "oph1..", "oph1.AAAA.x", "oph2.AAAA.x"] {
        assert_eq!(keys().unwrap(&binding(&owner), text), Err(UnknownHandle), "{text:?}");
    }
    let zeros = format!("oph1.{}.x", "A".repeat(32));
    assert_eq!(keys().unwrap(&binding(&owner), &zeros), Err(UnknownHandle));
}

#[test]
fn every_key_verifies_and_the_first_signs() {
    let owner = alice();
    let old = keys().wrap(&binding(&owner), &reach("/logs/_search"), SCROLL).unwrap();
    let rotated = Keys::new(key(OTHER_SECRET), vec![key(SECRET)]);
    assert_eq!(rotated.unwrap(&binding(&owner), old.as_str()).unwrap().original, SCROLL);
    let new = rotated.wrap(&binding(&owner), &reach("/logs/_search"), SCROLL).unwrap();
    assert_eq!(keys().unwrap(&binding(&owner), new.as_str()), Err(UnknownHandle));
    assert!(Keys::from(key(OTHER_SECRET)).unwrap(&binding(&owner), new.as_str()).is_ok());
    assert!(Keys::from(key(OTHER_SECRET)).unwrap(&binding(&owner), old.as_str()).is_err());
}

#[test]
fn a_key_is_long_enough_and_not_printed() {
    assert_eq!(Key::derive(&SECRET[1..]).unwrap_err(), KeyError::Short(31));
    let printed = format!("{:?}", Keys::new(key(SECRET), vec![key(OTHER_SECRET)]));
    assert_eq!(printed, "Keys { first: Key(…), others: [Key(…)] }");
}

#[test]
fn a_handle_has_a_bounded_length() {
    let owner = alice();
    let long = "x".repeat(256 * 1024);
    let error = keys().wrap(&binding(&owner), &reach("/logs/_search"), &long).unwrap_err();
    assert_eq!(error.kind, Kind::Scroll);
    assert!(error.length > long.len());
}

fn kind() -> impl Strategy<Value = Kind> {
    proptest::sample::select(Kind::ALL.to_vec())
}

prop_compose! {
    fn owner()(
        provider in any::<Vec<u8>>(),
        subject in any::<Vec<u8>>(),
        client in any::<Option<Vec<u8>>>(),
        user in any::<Option<Vec<u8>>>(),
    ) -> Owner {
        Owner::new(&provider, &subject, client.as_deref(), user.as_deref())
    }
}

proptest! {
    #[test]
    fn whatever_is_wrapped_comes_back(
        cluster in ".*", kind in kind(), owner in owner(), original in "\\PC*",
        index in "[a-z][a-z0-9.;!-]{0,12}\\*?",
    ) {
        let binding = Binding { cluster: &cluster, kind, owner: &owner };
        let path = format!("/{index}/_search");
        prop_assume!(rest::classify("GET", &path, None).is_ok());
        let reach = reach(&path);
        let wrapped = keys().wrap(&binding, &reach, &original).unwrap();
        let used = keys().unwrap(&binding, wrapped.as_str()).unwrap();
        prop_assert_eq!(used.original, original);
        prop_assert_eq!(used.reach, reach);
    }

    #[test]
    fn any_change_of_the_text_is_refused(at in any::<prop::sample::Index>(), byte in 0u8..128, original in "[ -~]{1,40}") {
        let owner = alice();
        let wrapped = keys().wrap(&binding(&owner), &reach("/logs-*/_search"), &original).unwrap();
        let mut bytes = wrapped.as_str().as_bytes().to_vec();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(keys().unwrap(&binding(&owner), &changed), Err(UnknownHandle));
    }

    #[test]
    fn any_cut_or_addition_is_refused(at in any::<prop::sample::Index>(), added in "[ -~]{1,5}") {
        let owner = alice();
        let wrapped = keys().wrap(&binding(&owner), &reach("/logs-*/_search"), SCROLL).unwrap();
        let at = at.index(wrapped.as_str().len());
        let (before, after) = wrapped.as_str().split_at(at);
        for changed in [before.to_owned(), after[1..].to_owned(), format!("{before}{added}{after}"), format!("{before}{after}{added}")] {
            prop_assert_eq!(keys().unwrap(&binding(&owner), &changed), Err(UnknownHandle));
        }
    }

    #[test]
    fn any_other_owner_cluster_or_kind_is_refused(
        a in (owner(), "[a-c]{0,2}", kind()), b in (owner(), "[a-c]{0,2}", kind()),
    ) {
        prop_assume!(a != b);
        let first = Binding { cluster: &a.1, kind: a.2, owner: &a.0 };
        let second = Binding { cluster: &b.1, kind: b.2, owner: &b.0 };
        let wrapped = keys().wrap(&first, &reach("/logs/_search"), SCROLL).unwrap();
        prop_assert_eq!(keys().unwrap(&second, wrapped.as_str()), Err(UnknownHandle));
    }
}
