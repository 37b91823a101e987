use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use data_encoding::BASE64URL_NOPAD;
use thiserror::Error;

use crate::{Key, Keys, Owner, Reach, owner::part};

/// The version, and how every wrapped handle begins.
pub(crate) const PREFIX: &str = "oph1.";
/// Bytes of the tag that are kept: half of the hash (RFC 2104, section 5).
const TAG: usize = 16;
/// The longest wrapped handle, in bytes. The engine's own grow with the number of shards.
pub(crate) const LONGEST: usize = 256 * 1024;

/// What kind of handle it is; one kind never passes for another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// A scroll.
    Scroll,
    /// A point in time.
    Pit,
    /// An asynchronous search.
    AsyncSearch,
    /// A task.
    Task,
    /// A cursor of SQL.
    SqlCursor,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Scroll, Self::Pit, Self::AsyncSearch, Self::Task, Self::SqlCursor];

    /// The kind's name, as in `data/places.tsv`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scroll => "scroll",
            Self::Pit => "pit",
            Self::AsyncSearch => "async_search",
            Self::Task => "task",
            Self::SqlCursor => "sql_cursor",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// To what a handle is bound: it is of use on this cluster, as this kind, for this owner.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'b> {
    /// The cluster's name in the configuration.
    pub cluster: &'b str,
    /// The kind.
    pub kind: Kind,
    /// Who made it, or who uses it.
    pub owner: &'b Owner,
}

/// A handle as clients have it: `oph1.` BASE64URL(tag ‖ reach) `.` and the engine's own.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Wrapped(String);

/// A handle that its owner brought back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unwrapped<'w> {
    /// The engine's own handle.
    pub original: &'w str,
    /// What its use must be allowed.
    pub reach: Reach,
}

/// The engine's handle is too long to be wrapped.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a {kind} handle of the engine would have {length} bytes, more than {LONGEST}: name fewer indices")]
pub struct WrapError {
    /// The kind.
    pub kind: Kind,
    /// How long it would be, in bytes.
    pub length: usize,
}

/// No handle of this owner: it is another's, of another cluster or kind, forged, changed, or never was one.
///
/// Which of these is not said, since the difference would tell that another's handle exists.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error(
    "no such scroll, point in time, search, task or cursor: use one that this caller was given, unchanged"
)]
pub struct UnknownHandle;

impl Wrapped {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<Wrapped> for String {
    fn from(wrapped: Wrapped) -> Self {
        wrapped.0
    }
}

impl Keys {
    /// Binds the engine's handle `original`, which was made under `reach`.
    pub fn wrap(&self, binding: &Binding<'_>, reach: &Reach, original: &str) -> Result<Wrapped, WrapError> {
        let reach = reach.to_string();
        let mut sealed = tag(self.signing(), binding, &reach, original).to_vec();
        sealed.extend_from_slice(reach.as_bytes());
        let text = format!("{PREFIX}{}.{original}", BASE64URL_NOPAD.encode(&sealed));
        if text.len() > LONGEST {
            return Err(WrapError { kind: binding.kind, length: text.len() });
        }
        Ok(Wrapped(text))
    }

    /// The engine's handle in `text`, if it was given to this owner.
    pub fn unwrap<'w>(&self, binding: &Binding<'_>, text: &'w str) -> Result<Unwrapped<'w>, UnknownHandle> {
        self.open(binding, text).ok_or(UnknownHandle)
    }

    fn open<'w>(&self, binding: &Binding<'_>, text: &'w str) -> Option<Unwrapped<'w>> {
        if text.len() > LONGEST {
            return None;
        }
        let (sealed, original) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let sealed = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?;
        let (given, reach) = sealed.split_at_checked(TAG)?;
        let reach = std::str::from_utf8(reach).ok()?;
        let mut authentic = false;
        for key in self.verifying() {
            authentic |= verify_slices_are_equal(&tag(key, binding, reach, original), given).is_ok();
        }
        let reach = authentic.then(|| Reach::parse(reach))??;
        Some(Unwrapped { original, reach })
    }
}

fn tag(key: &Key, binding: &Binding<'_>, reach: &str, original: &str) -> [u8; TAG] {
    let mut context = key.begin();
    part(&mut context, PREFIX.as_bytes());
    part(&mut context, binding.cluster.as_bytes());
    part(&mut context, binding.kind.as_str().as_bytes());
    binding.owner.sign(&mut context);
    part(&mut context, reach.as_bytes());
    part(&mut context, original.as_bytes());
    let whole = context.sign();
    let mut tag = [0; TAG];
    tag.copy_from_slice(&whole.as_ref()[..TAG]);
    tag
}
