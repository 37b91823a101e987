use smallvec::SmallVec;

use super::shapes::Body;
use super::{ActionSet, BodyReader};
use crate::query::shorten;
use crate::{Action, Need, Origin, Resource, Target};

/// What a body must be read for. Made by [`crate::inquire`].
#[derive(Clone, Debug)]
pub struct BodyPlan {
    pub(crate) body: &'static Body,
    pub(crate) unnamed: Unnamed,
    /// What is needed over everything when something in the body can reach anything.
    pub(crate) everything: ActionSet,
    /// Whether the query lets a leading `*` reach names that begin with `.`.
    pub(crate) hidden: bool,
    pub(crate) media: Media,
}

/// What a place in the body means that names no index.
#[derive(Clone, Debug)]
pub(crate) enum Unnamed {
    Path(SmallVec<[Target; 2]>),
    Everything,
    Refused,
}

#[derive(Clone, Debug)]
pub(crate) enum Media {
    Read,
    Other(Box<str>),
}

/// How much of a body may be kept or nested. Beyond these the body is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BodyLimits {
    /// Bytes of one action or header line of an NDJSON body.
    pub line: usize,
    /// Bytes of one key, or of one text that names indices or holds a query.
    pub text: usize,
    /// Levels of objects and arrays; at most 127.
    pub depth: u32,
    /// Keys of one object, where keys matter.
    pub keys: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { line: 64 * 1024, text: 64 * 1024, depth: 100, keys: 1024 }
    }
}

impl BodyPlan {
    /// A reader for one body.
    pub fn reader(&self, limits: BodyLimits) -> BodyReader {
        BodyReader::new(self.clone(), limits)
    }

    /// Every action that the body can need on some index.
    pub fn actions(&self) -> ActionSet {
        self.body.actions
    }

    /// What must be held for nothing in the body to matter any more. Whoever holds all of it is taken at its
    /// word, and the body need not be read.
    pub fn everything(&self) -> SmallVec<[Need; 2]> {
        let actions = self.body.actions.union(self.everything);
        let on = || Resource::Index(Target::everything());
        let mut needs: SmallVec<[Need; 2]> =
            actions.iter().map(|action| Need { action, on: on(), origin: Origin::Body }).collect();
        if self.body.cluster_admin {
            needs.push(Need { action: Action::Admin, on: Resource::Cluster, origin: Origin::InBody });
        }
        needs
    }
}

impl Media {
    /// Parameters do not matter: the engine passes over them, and other encodings than UTF-8 are no JSON here.
    pub(crate) fn of(content_type: Option<&str>) -> Self {
        let text = content_type.unwrap_or_default();
        let essence = text.split(';').next().unwrap_or_default().trim();
        let known = ["application/json", "application/x-ndjson"];
        if known.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
            Self::Read
        } else {
            Self::Other(shorten(text))
        }
    }
}
