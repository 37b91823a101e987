//! What opens the cookies of a login, over any bytes. Panics when a promise is broken.

use std::sync::LazyLock;

use tokens::{StoreKey, StoreKeys};

static KEYS: LazyLock<Option<StoreKeys>> = LazyLock::new(|| {
    Some(StoreKeys::new(StoreKey::derive(b"a secret of no worth, for fuzzing only").ok()?, Vec::new()))
});

/// A note that was never sealed.
pub fn run(bytes: &[u8]) {
    let (Some(keys), Ok(text)) = (KEYS.as_ref(), std::str::from_utf8(bytes)) else { return };
    assert!(keys.open_note("login", "flow", text).is_err(), "a note was opened that nobody sealed");
    let Ok(sealed) = keys.seal_note("login", "flow", bytes.to_vec()) else { panic!("nothing is sealed") };
    assert_eq!(keys.open_note("login", "flow", &sealed).as_deref(), Ok(bytes), "another note was opened");
}
