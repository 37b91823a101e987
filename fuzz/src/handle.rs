//! What reads handles, over any bytes. Panics when a promise is broken.

use std::sync::LazyLock;

use handles::{Binding, Key, Keys, Kind, Owner, Reach};

static KEYS: LazyLock<Option<Keys>> = LazyLock::new(|| {
    Some(Keys::new(Key::derive(b"a secret of no worth, for fuzzing only").ok()?, Vec::new()))
});

fn binding(owner: &Owner) -> Binding<'_> {
    Binding { cluster: "main", kind: Kind::Scroll, owner }
}

fn owner(subject: &[u8]) -> Owner {
    Owner::new(b"company", subject, None, None)
}

/// The one handle that was ever given out.
pub fn genuine() -> Option<String> {
    let asked = rest::inquire("GET", "/logs-*/_search", None, None).ok()?;
    let wrapped = KEYS.as_ref()?.wrap(&binding(&owner(b"alice")), &Reach::of(&asked.needs)?, "c2Nyb2xs");
    wrapped.ok().map(String::from)
}

/// The text of a handle: only the genuine one is its owner's, and nobody else's.
pub fn run(bytes: &[u8]) {
    static GENUINE: LazyLock<Option<String>> = LazyLock::new(genuine);
    let (Some(keys), Some(genuine)) = (KEYS.as_ref(), GENUINE.as_ref()) else { panic!("no key") };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let opened = keys.unwrap(&binding(&owner(b"alice")), text);
    assert_eq!(opened.is_ok(), text == genuine, "a handle was opened that nobody was given");
    let of_another = keys.unwrap(&binding(&owner(b"bob")), text);
    assert!(of_another.is_err(), "a handle was opened for somebody else");
}
