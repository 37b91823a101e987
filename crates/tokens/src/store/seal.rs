//! Encryption of what is kept where others can read and write.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hmac, rand};
use data_encoding::{BASE64, HEXLOWER};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::NoRandomness;

/// A key for what a store keeps, derived from a secret that all replicas have.
#[derive(Clone)]
pub struct StoreKey {
    id: Box<str>,
    key: Zeroizing<[u8; 32]>,
}

/// The secret is too short.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the secret of the token store has {0} bytes: use at least {min}, for instance of `openssl rand -base64 48`", min = StoreKey::MIN_SECRET)]
pub struct ShortSecret(usize);

impl StoreKey {
    /// The fewest bytes of a secret.
    pub const MIN_SECRET: usize = 32;

    /// The key for this secret.
    pub fn derive(secret: &[u8]) -> Result<Self, ShortSecret> {
        if secret.len() < Self::MIN_SECRET {
            return Err(ShortSecret(secret.len()));
        }
        let key = Zeroizing::new(mac(secret, &[b"opensearch-oauth-proxy token store, key"]));
        // What the key is called tells nothing about it.
        let id = mac(secret, &[b"opensearch-oauth-proxy token store, name of the key"]);
        Ok(Self { id: HEXLOWER.encode(&id[..8]).into(), key })
    }

    /// Each place has a key of its own, so that random nonces never become too many for one.
    fn cipher(&self, place: &Place<'_>) -> Option<RandomizedNonceKey> {
        let key = Zeroizing::new(mac(&*self.key, &[place.kind.as_bytes(), &[0], place.id.as_bytes()]));
        RandomizedNonceKey::new(&AES_256_GCM, &*key).ok()
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The key that new contents are encrypted with, and those that older contents may still be encrypted with.
///
/// To change the secret: put the new one among the others on every replica, then exchange the two, and remove the old one once all
/// is encrypted with the new one, which [`crate::Tokens::maintain`] sees to.
#[derive(Clone, Debug)]
pub struct StoreKeys {
    current: StoreKey,
    others: Vec<StoreKey>,
}

impl StoreKeys {
    /// Encrypts with the first, and decrypts with any.
    pub fn new(current: StoreKey, others: Vec<StoreKey>) -> Self {
        Self { current, others }
    }

    /// A key that only this process has, and that is gone with it.
    pub fn of_this_process() -> Result<Self, NoRandomness> {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(&mut *key).map_err(|_| NoRandomness)?;
        Ok(Self::new(StoreKey { id: "process".into(), key }, Vec::new()))
    }

    /// Encrypts what somebody keeps for the proxies and gives back: a browser, between two of its requests. It can be opened for
    /// the same `purpose` and with the same `bound_to` only.
    pub fn seal_note(&self, purpose: &str, bound_to: &str, plain: Vec<u8>) -> Result<String, SealError> {
        let Sealed { key, text } = self.seal(&Place { kind: &note(purpose), id: bound_to }, plain)?;
        Ok(format!("{key}.{text}"))
    }

    /// Decrypts what [`Self::seal_note`] gave out.
    pub fn open_note(&self, purpose: &str, bound_to: &str, text: &str) -> Result<Vec<u8>, SealError> {
        let (key, text) = text.split_once('.').ok_or(SealError::Forged)?;
        let sealed = Sealed { key: key.into(), text: text.to_owned() };
        self.open(&Place { kind: &note(purpose), id: bound_to }, &sealed)
    }
}

/// No kind of document is called so.
fn note(purpose: &str) -> String {
    format!("note:{purpose}")
}

/// Where something stands. Contents that are moved elsewhere cannot be decrypted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    pub(super) kind: &'p str,
    pub(super) id: &'p str,
}

/// Contents as they are kept.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    /// The name of the key.
    pub(super) key: Box<str>,
    /// Nonce, ciphertext and tag in base 64.
    pub(super) text: String,
}

/// Contents cannot be decrypted.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum SealError {
    /// By no key that is known here.
    #[error("it is encrypted with the key {0}, whose secret is not among those given")]
    UnknownKey(Box<str>),
    /// It was changed or moved.
    #[error("it was changed by somebody without the secret, or moved here from elsewhere")]
    Forged,
    /// The cipher does not work.
    #[error("it cannot be encrypted")]
    Cipher,
}

impl StoreKeys {
    /// Whether this is the name of the key that new contents are encrypted with.
    pub(super) fn is_current(&self, key: &str) -> bool {
        *self.current.id == *key
    }

    pub(super) fn seal(&self, place: &Place<'_>, plain: Vec<u8>) -> Result<Sealed, SealError> {
        let cipher = self.current.cipher(place).ok_or(SealError::Cipher)?;
        let mut contents = plain;
        let nonce =
            cipher.seal_in_place_append_tag(Aad::empty(), &mut contents).map_err(|_| SealError::Cipher)?;
        let mut bytes = nonce.as_ref().to_vec();
        bytes.append(&mut contents);
        Ok(Sealed { key: self.current.id.clone(), text: BASE64.encode(&bytes) })
    }

    pub(super) fn open(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        let mut keys = std::iter::once(&self.current).chain(&self.others);
        let key =
            keys.find(|key| key.id == sealed.key).ok_or_else(|| SealError::UnknownKey(sealed.key.clone()))?;
        let bytes = BASE64.decode(sealed.text.as_bytes()).map_err(|_| SealError::Forged)?;
        let (nonce, contents) = bytes.split_at_checked(NONCE_LEN).ok_or(SealError::Forged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Forged)?;
        let cipher = key.cipher(place).ok_or(SealError::Cipher)?;
        let mut contents = contents.to_vec();
        let plain =
            cipher.open_in_place(nonce, Aad::empty(), &mut contents).map_err(|_| SealError::Forged)?.len();
        contents.truncate(plain);
        Ok(contents)
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.sign().as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(letter: u8) -> StoreKey {
        StoreKey::derive(&[letter; 32]).unwrap()
    }

    const HERE: Place<'_> = Place { kind: "record", id: "tok_a" };

    #[test]
    fn contents_are_read_with_any_of_the_keys() {
        let old = StoreKeys::new(key(b'a'), vec![]);
        let new = StoreKeys::new(key(b'b'), vec![key(b'a')]);
        let sealed = old.seal(&HERE, b"contents".to_vec()).unwrap();
        assert_eq!(new.open(&HERE, &sealed).unwrap(), b"contents");
        let sealed = new.seal(&HERE, b"contents".to_vec()).unwrap();
        assert!(matches!(old.open(&HERE, &sealed), Err(SealError::UnknownKey(_))));
        assert_eq!(StoreKey::derive(&[1; 31]).unwrap_err(), ShortSecret(31));
        assert!(!format!("{old:?}").contains("97"), "no byte of a key is shown");
    }

    #[test]
    fn what_was_moved_is_noticed() {
        let keys = StoreKeys::new(key(b'a'), vec![]);
        let sealed = keys.seal(&HERE, b"contents".to_vec()).unwrap();
        for place in [
            Place { id: "tok_b", ..HERE },
            Place { kind: "revocation", ..HERE },
            Place { kind: "recordt", id: "ok_a" },
        ] {
            assert_eq!(keys.open(&place, &sealed), Err(SealError::Forged), "{place:?}");
        }
    }

    #[test]
    fn a_note_is_good_for_its_purpose_and_holder_only() {
        let keys = StoreKeys::of_this_process().unwrap();
        let note = keys.seal_note("login", "flow", b"contents".to_vec()).unwrap();
        assert_eq!(keys.open_note("login", "flow", &note).unwrap(), b"contents");
        assert_eq!(keys.open_note("consent", "flow", &note), Err(SealError::Forged));
        assert_eq!(keys.open_note("login", "other", &note), Err(SealError::Forged));
        assert_eq!(keys.open_note("login", "flow", "nothing"), Err(SealError::Forged));
        let others = StoreKeys::of_this_process().unwrap();
        assert_eq!(others.open_note("login", "flow", &note), Err(SealError::Forged));
    }

    proptest! {
        #[test]
        fn what_was_changed_is_noticed(contents in prop::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), bit in 0..8) {
            let keys = StoreKeys::new(key(b'a'), vec![]);
            let sealed = keys.seal(&HERE, contents.clone()).unwrap();
            prop_assert_eq!(keys.open(&HERE, &sealed).unwrap(), contents);
            let mut bytes = BASE64.decode(sealed.text.as_bytes()).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            let changed = Sealed { text: BASE64.encode(&bytes), ..sealed.clone() };
            prop_assert_eq!(keys.open(&HERE, &changed), Err(SealError::Forged));
            let cut = Sealed { text: BASE64.encode(&bytes[..at]), ..sealed };
            prop_assert_eq!(keys.open(&HERE, &cut), Err(SealError::Forged));
        }
    }
}
