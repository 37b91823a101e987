//! Cedar policies that are kept here, as the successive versions of a set. What they say is for others to read.

use serde::{Deserialize, Serialize};

use crate::Decision;

/// One of the successive texts of a set of policies. It never changes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct PolicyVersion {
    id: Box<str>,
    /// The set's name.
    pub set: Box<str>,
    /// From 1, without gaps; the greatest one counts.
    pub version: u32,
    /// The policies, in Cedar.
    pub text: Box<str>,
    /// Who wrote it, when, and what for.
    pub written: Decision,
    /// The earlier version that has the same text, if it was taken from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<u32>,
}

/// A text that is to become the next version of a set.
#[derive(Clone, Debug)]
pub struct PolicyDraft {
    /// The set's name: small letters, digits, `-` and `_`.
    pub set: Box<str>,
    /// The policies, in Cedar.
    pub text: Box<str>,
    /// Who writes it, when, and what for.
    pub written: Decision,
    /// The earlier version that the text is taken from.
    pub restored_from: Option<u32>,
}

impl PolicyVersion {
    /// The most bytes of a text.
    pub const MAX_TEXT: usize = 128 * 1024;
    /// How many versions of a set are kept.
    pub const MAX_KEPT: usize = 100;
    /// How many bytes the texts of a set can have together, before the oldest are forgotten. Whoever starts reads them all.
    pub const MAX_KEPT_TEXT: usize = 2 * 1024 * 1024;

    pub(crate) fn new(draft: PolicyDraft, version: u32) -> Self {
        let PolicyDraft { set, text, written, restored_from } = draft;
        // Two that write the same version write it in the same place, where the later one finds the earlier.
        Self { id: format!("pol_{set}_{version}").into(), set, version, text, written, restored_from }
    }

    pub(crate) fn key(&self) -> &str {
        &self.id
    }
}
