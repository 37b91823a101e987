//! What reads the forms of the token service, over any bytes. Panics when a promise is broken.

use std::collections::BTreeSet;

use oauth::{AuthorizationRequest, ClaimedClient, Form, TokenRequest, Wish};

/// Parameters that may be given more than once (RFC 8693 section 2.1).
const MAY_REPEAT: [&str; 2] = ["resource", "audience"];

/// An `Authorization` header, a line feed, and the form.
pub fn run(bytes: &[u8]) {
    let at = bytes.iter().position(|&byte| byte == b'\n');
    let (header, body) = at.map_or((None, bytes), |at| (Some(&bytes[..at]), &bytes[at + 1..]));
    let Ok(form) = Form::parse(body) else { return };
    let mut seen = BTreeSet::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        if MAY_REPEAT.contains(&&*name) {
            assert!(
                value.is_empty() || form.all(&name).any(|read| read == value),
                "{name} has another value"
            );
            continue;
        }
        assert!(seen.insert(name.clone()), "{name} was read twice");
        let given = Some(&*value).filter(|value| !value.is_empty());
        assert_eq!(form.get(&name), given, "{name} has two readings");
    }
    // Whatever they say of it: no panic, and nothing of the form in what is shown.
    let _ = (TokenRequest::read(header, &form).is_ok(), ClaimedClient::read(header, &form).is_ok());
    if let Ok(request) = AuthorizationRequest::read(&form) {
        assert_eq!(form.get("response_type"), Some("code"), "another response type was taken for a code");
        assert!(form.get("code_challenge").is_some(), "{request:?} without a challenge");
    }
    if let Ok(Wish { scope: Some(scope), .. }) = Wish::read(&form) {
        let again: BTreeSet<String> = scope.iter().map(str::to_owned).collect();
        let given = form.get("scope").unwrap_or_default();
        assert!(given.split(' ').all(|scope| scope.is_empty() || again.contains(scope)), "a scope was lost");
    }
}
