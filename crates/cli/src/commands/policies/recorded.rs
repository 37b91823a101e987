//! Requests of the audit trail, as questions to policies.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use policy::Kind;
use rest::{Action, Resource};
use serde::Deserialize;

use super::question::{Context, Question, Who, plugin};
use crate::error::{Error, Result};

/// The fields of an audit record that policies were asked by.
#[derive(Debug, Deserialize)]
struct Record {
    timestamp: Timestamp,
    decision: String,
    layer: Option<String>,
    client_id: Option<String>,
    user_id: Option<String>,
    subject: Option<String>,
    provider: Option<String>,
    #[serde(default)]
    scopes: Vec<Box<str>>,
    #[serde(default)]
    groups: Vec<Box<str>>,
    acr: Option<String>,
    token_issued_at: Option<Timestamp>,
    action: Option<String>,
    operation: Option<String>,
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    needs: Vec<String>,
    cluster: Option<String>,
    upstream: Option<String>,
    source: Option<SocketAddr>,
}

/// A request that policies can be asked about again.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) question: Question,
    /// What became of it; `None` when another layer had refused it, so that policies made no difference.
    pub(super) allowed: Option<bool>,
}

/// How many records there were.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// That policies were asked about.
    pub(super) asked: usize,
    /// For a cluster, by somebody, and not complete enough to be asked about.
    pub(super) incomplete: usize,
}

/// Hands the requests of these files to `each`, one by one: a trail can be larger than memory.
pub(super) fn each(files: &[PathBuf], qualified: bool, mut each: impl FnMut(&Recorded)) -> Result<Counts> {
    let mut counts = Counts::default();
    for path in files {
        let failed = |error| Error::outside(format!("{} cannot be read: {error}", path.display()));
        for line in BufReader::new(File::open(path).map_err(failed)?).split(b'\n') {
            // What is no record of a request is a gap, or a line that a crash has torn.
            let Ok(record) = serde_json::from_slice::<Record>(&line.map_err(failed)?) else { continue };
            if record.cluster.is_none() || record.subject.is_none() || record.operation.is_none() {
                continue;
            }
            match record.question(qualified) {
                Some(question) => {
                    counts.asked += 1;
                    each(&Recorded { question, allowed: record.allowed() });
                }
                None => counts.incomplete += 1,
            }
        }
    }
    Ok(counts)
}

/// The last entry of a list that was cut says how many more there were.
fn is_cut(list: &[impl AsRef<str>]) -> bool {
    list.iter().any(|entry| entry.as_ref().contains('…'))
}

impl Record {
    fn allowed(&self) -> Option<bool> {
        match (self.decision.as_str(), self.layer.as_deref()) {
            ("allow", _) => Some(true),
            ("deny", Some("policy")) => Some(false),
            _ => None,
        }
    }

    fn question(&self, qualified: bool) -> Option<Question> {
        if is_cut(&self.groups) || is_cut(&self.targets) || is_cut(&self.needs) {
            return None;
        }
        let provider = self.provider.clone().unwrap_or_default();
        let named = |name: &str| if qualified { format!("{provider}:{name}") } else { name.to_owned() };
        let (kind, id) = match (&self.user_id, &self.client_id, &self.subject) {
            (Some(user), _, _) => (Kind::User, user),
            (None, Some(client), _) => (Kind::Agent, client),
            (None, None, Some(subject)) => (Kind::Agent, subject),
            (None, None, None) => return None,
        };
        let groups = self.groups.iter().map(|group| named(group).into()).collect();
        let who = Who { kind, id: named(id), groups, provider: provider.clone() };
        let main: Action = self.action.as_deref()?.parse().ok()?;
        let wants: Option<Vec<_>> = if self.needs.is_empty() {
            self.targets.iter().map(|target| Some((main, self.resource(target)?))).collect()
        } else {
            let need = |text: &String| {
                let (action, target) = text.split_once(' ')?;
                Some((action.parse().ok()?, self.resource(target)?))
            };
            self.needs.iter().map(need).collect()
        };
        let age = self.token_issued_at.map(|issued| self.timestamp.duration_since(issued));
        let context = Context {
            cluster: self.cluster.clone()?,
            client: self.client_id.clone().unwrap_or_default(),
            scopes: self.scopes.clone(),
            source: self.source?.ip(),
            token_age: age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default(),
            acr: self.acr.clone(),
            ..Context::usual(&who, self.timestamp)
        };
        Some(Question { who, operation: self.operation.clone()?, main, wants: wants?, context })
    }

    /// What a target of the record is.
    fn resource(&self, target: &str) -> Option<Resource> {
        let workspace = |place: &str| place.strip_prefix("dashboards/").map(Box::from);
        match target {
            "cluster" => return Some(Resource::Cluster),
            "greeting" => return Some(Resource::Greeting),
            "dashboards" => return Some(Resource::Dashboards { workspace: None }),
            _ => {}
        }
        if let Some(name) = target.strip_prefix("plugin/") {
            return plugin(name).map(Resource::Plugin);
        }
        if self.upstream.as_deref() == Some("dashboards") && target.starts_with("dashboards") {
            return Some(match target.split_once(':') {
                Some((place, kind)) => Resource::SavedObject {
                    kind: (kind != "*").then(|| kind.into()),
                    workspace: workspace(place),
                },
                None => Resource::Dashboards { workspace: workspace(target) },
            });
        }
        target.parse().ok().map(Resource::Index)
    }
}
