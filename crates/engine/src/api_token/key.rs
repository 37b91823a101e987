//! What requests share a token: those of one client under one set of grants.

use crate::Caller;

/// The client that acts; of tokens that name none, the person or the subject. Sent by the same client for many people, requests share a
/// token, since the engine knows no more of them than its permissions.
pub(super) fn client(caller: &Caller<'_>) -> Vec<u8> {
    let (kind, name) = match (caller.client_id, caller.user_id) {
        (Some(client), _) => ("client", client),
        (None, Some(user)) => ("user", user),
        (None, None) => ("subject", caller.subject),
    };
    start(caller.provider, kind, name)
}

/// As [`client`], of a client that is known by its id.
pub(super) fn of_client(provider: &str, client_id: &str) -> Vec<u8> {
    start(provider, "client", client_id)
}

fn start(provider: &str, kind: &str, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(128);
    for text in [provider, kind, name] {
        part(&mut key, text);
    }
    key
}

/// Client and grants. The order in which a permit lists scopes does not count.
pub(super) fn of(caller: &Caller<'_>) -> Vec<u8> {
    let mut key = client(caller);
    let permit = caller.permit;
    if let ([scope], []) = (permit.scopes.as_slice(), permit.roles.as_slice()) {
        part(&mut key, scope);
        return key;
    }
    for list in [permit.scopes.as_slice(), permit.roles.as_slice()] {
        let mut sorted: Vec<&str> = list.iter().map(AsRef::as_ref).collect();
        sorted.sort_unstable();
        sorted.dedup();
        for text in sorted {
            part(&mut key, text);
        }
        part(&mut key, "");
    }
    key
}

fn part(key: &mut Vec<u8>, text: &str) {
    key.extend_from_slice(&text.len().to_le_bytes());
    key.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Fixture, arcs};

    #[test]
    fn requests_of_one_client_and_set_of_grants_share_a_key_and_others_do_not() {
        let base = Fixture::new(&["read:a", "write:b"], &[]);
        let same = Fixture::new(&["write:b", "read:a"], &[]);
        assert_eq!(base.with(of), same.with(of));
        let mut another_person = Fixture::new(&["read:a", "write:b"], &[]);
        another_person.user = Some("bob".to_owned());
        assert_eq!(base.with(of), another_person.with(of));

        let mut another_client = Fixture::new(&["read:a", "write:b"], &[]);
        another_client.client = Some("other".to_owned());
        let mut no_client = Fixture::new(&["read:a", "write:b"], &[]);
        no_client.client = None;
        no_client.user = Some("agent".to_owned());
        let mut role = Fixture::new(&["read:a"], &[]);
        role.permit.roles = arcs(&["write:b"]);
        for other in [
            another_client,
            no_client,
            role,
            Fixture::new(&["read:a"], &[]),
            Fixture::new(&["read:awrite:b"], &[]),
            Fixture::new(&[], &[]),
        ] {
            assert_ne!(base.with(of), other.with(of));
        }
    }

    proptest! {
        #[test]
        fn keys_are_equal_for_equal_clients_and_sets_of_grants_only(
            one in prop::collection::btree_set("[a-c:*]{1,3}", 0..4),
            other in prop::collection::btree_set("[a-c:*]{1,3}", 0..4),
            clients in ("[a-b]{0,2}", "[a-b]{0,2}"),
        ) {
            let key = |scopes: &std::collections::BTreeSet<String>, client: &str, backwards: bool| {
                let mut texts: Vec<&str> = scopes.iter().map(String::as_str).collect();
                if backwards {
                    texts.reverse();
                }
                let mut fixture = Fixture::new(&texts, &[]);
                fixture.client = Some(client.to_owned());
                fixture.with(of)
            };
            let same = one == other && clients.0 == clients.1;
            prop_assert_eq!(key(&one, &clients.0, false) == key(&other, &clients.1, true), same);
        }
    }
}
