use std::sync::Arc;

use smallvec::SmallVec;

use super::shapes::{self, Body};
use super::{ActionSet, BodyReader, SurfaceBody};
use crate::query::shorten;
use crate::{Action, Need, Origin, Resource, Target};

/// What a body must be read for. Made by [`crate::inquire`], or for another surface.
#[derive(Clone, Debug)]
pub struct BodyPlan(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Engine(EnginePlan),
    Surface(Arc<dyn SurfaceBody>),
}

/// What a body must be read for by the engine's tables.
#[derive(Clone, Debug)]
pub(crate) struct EnginePlan {
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
        match &self.0 {
            Kind::Engine(plan) => BodyReader::engine(plan.clone(), limits),
            Kind::Surface(plan) => BodyReader::surface(plan.reader(limits)),
        }
    }

    /// A body of another surface, which it reads itself.
    pub fn surface(plan: Arc<dyn SurfaceBody>) -> Self {
        Self(Kind::Surface(plan))
    }

    /// A body of another surface that is read by the row of this name in `data/surfaces.tsv`. `named` are the
    /// targets for where the body names none; without any, that is everything. `None`: there is no such row.
    pub fn named(row: &str, named: SmallVec<[Target; 2]>, content_type: Option<&str>) -> Option<Self> {
        let body = shapes::body(row)?;
        let unnamed = if named.is_empty() { Unnamed::Everything } else { Unnamed::Path(named) };
        let media = Media::of(content_type);
        Some(Self::engine(EnginePlan { body, unnamed, everything: body.actions, hidden: false, media }))
    }

    pub(crate) fn engine(plan: EnginePlan) -> Self {
        Self(Kind::Engine(plan))
    }

    /// Every action that the body can need on some index.
    pub fn actions(&self) -> ActionSet {
        match &self.0 {
            Kind::Engine(plan) => plan.body.actions,
            Kind::Surface(_) => ActionSet::default(),
        }
    }

    /// What must be held for nothing in the body to matter any more. Whoever holds all of it is taken at its
    /// word, and the body need not be read.
    pub fn everything(&self) -> SmallVec<[Need; 2]> {
        match &self.0 {
            Kind::Engine(plan) => plan.everything(),
            Kind::Surface(plan) => plan.everything(),
        }
    }
}

impl EnginePlan {
    pub(crate) fn everything(&self) -> SmallVec<[Need; 2]> {
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
