//! The sections of a document, each turned into its model by itself, so that a mistake in one does not keep the others
//! from being checked.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use url::Url;

use crate::{
    model::{Admin, Cluster, Limits, Listen, Mapping, Policies, Provider, RateLimits, Telemetry, Tokens},
    report::Findings,
    tree::{At, Step},
};

/// What could be read. Secrets in it are still references.
pub(crate) struct Parts {
    pub(crate) listen: Option<Listen>,
    pub(crate) public_url: Option<Url>,
    pub(crate) admin: Option<Admin>,
    pub(crate) providers: Section<Provider>,
    pub(crate) clusters: Section<Cluster>,
    pub(crate) mappings: Section<Mapping>,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) policies: Option<Policies>,
    pub(crate) rate_limits: Option<RateLimits>,
    pub(crate) limits: Option<Limits>,
    pub(crate) telemetry: Option<Telemetry>,
}

/// A list of the document.
pub(crate) struct Section<T> {
    /// Where each item is, and the item if it could be read.
    pub(crate) items: Vec<(At, Option<T>)>,
    /// The names of all items, of those that could not be read too.
    pub(crate) names: Vec<String>,
}

impl<T> Section<T> {
    /// The items that could be read.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&At, &T)> {
        self.items.iter().filter_map(|(at, item)| Some((at, item.as_ref()?)))
    }

    /// True if every item could be read, so that what is not here is nowhere.
    pub(crate) fn is_complete(&self) -> bool {
        self.items.iter().all(|(_, item)| item.is_some())
    }
}

impl Parts {
    pub(crate) fn new(document: &Value, findings: &mut Findings<'_>) -> Self {
        let mut reader = Reader { document, findings };
        Self {
            listen: reader.one("listen", None),
            public_url: reader.one("public_url", None),
            admin: reader.one("admin", Some(Admin::default())),
            providers: reader.list("providers"),
            clusters: reader.list("clusters"),
            mappings: reader.list("mappings"),
            tokens: reader.one("tokens", None),
            policies: reader.one("policies", None),
            rate_limits: reader.one("rate_limits", None),
            limits: reader.one("limits", Some(Limits::default())),
            telemetry: reader.one("telemetry", Some(Telemetry::default())),
        }
    }
}

struct Reader<'a, 'f> {
    document: &'a Value,
    findings: &'a mut Findings<'f>,
}

impl Reader<'_, '_> {
    fn one<T: DeserializeOwned>(&mut self, key: &str, absent: Option<T>) -> Option<T> {
        match self.document.get(key) {
            Some(value) => self.read(value, &At::default().key(key)),
            None => absent,
        }
    }

    fn list<T: DeserializeOwned>(&mut self, key: &str) -> Section<T> {
        let root = At::default().key(key);
        let values = self.document.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let items = values
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let at = root.index(index);
                let item = self.read(value, &at);
                (at, item)
            })
            .collect();
        let names = values.iter().filter_map(|value| Some(value.get("name")?.as_str()?.to_owned())).collect();
        Section { items, names }
    }

    /// Where the schema has found nothing wrong, what serde finds wrong is reported; elsewhere it is only a consequence.
    fn read<T: DeserializeOwned>(&mut self, value: &Value, at: &At) -> Option<T> {
        match serde_path_to_error::deserialize(value) {
            Ok(part) => Some(part),
            Err(error) => {
                if !self.findings.is_broken(at) {
                    let inner = to_at(error.path());
                    let at = inner.steps().iter().fold(at.clone(), |at, step| at.with(step.clone()));
                    self.findings.error(&at, error.inner().to_string(), "correct this value");
                }
                None
            }
        }
    }
}

/// A path of serde's as one of ours.
pub(crate) fn to_at(path: &Path) -> At {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { variant } => Some(Step::Key(variant.clone())),
            Segment::Unknown => None,
        })
        .collect()
}
