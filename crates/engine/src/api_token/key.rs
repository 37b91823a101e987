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
}
