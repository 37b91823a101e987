//! `policy diff`: what becomes allowed and what refused between two sets of policies.
//!
//! The questions are those of recorded requests, and others that are made up from what either set names: everybody with everything, by
//! the operations that it names and one of each action besides.

use std::path::Path;

use jiff::Timestamp;
use policy::{Kind, Named, PolicySet};
use rest::{Action, Place, Resource};
use serde_json::json;

use super::differences::Differences;
use super::files::{self, File};
use super::question::{Context, Question, Who, plugin};
use super::{counted, faults, recorded, simulate};
use crate::cli::policies::Diff;
use crate::error::Result;
use crate::output::Ui;

/// Most questions that are made up. More would take minutes.
const MOST: usize = 100_000;
/// Somebody, some index and so on that no policy names.
const OTHER: &str = "another";

pub(super) fn run(ui: Ui, arguments: &Diff) -> Result<()> {
    let Diff { audit, qualified, exit_code, old, new } = arguments;
    let (old, new) = match (read(old)?, read(new)?) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            let mut found = old.err().unwrap_or_default();
            found.extend(new.err().unwrap_or_default());
            return faults::told(ui, &found);
        }
    };
    let mut differences = Differences::default();
    let mut compare = |question: &Question| {
        let now = question.ask(&new);
        if question.ask(&old).allowed != now.allowed {
            differences.note(question, &now);
        }
    };
    let counts = recorded::each(audit, *qualified, |recorded| compare(&recorded.question))?;
    let questions = made_up(&old.named().and(new.named()), Timestamp::now());
    let total = questions.len();
    questions.iter().take(MOST).for_each(&mut compare);
    let mut lines = vec![if differences.is_empty() {
        "✅ nothing that was asked is decided otherwise".to_owned()
    } else {
        differences.told()
    }];
    let made_up = counted(total.min(MOST), "question made up", "questions made up");
    let recorded = counted(counts.asked, "recorded request", "recorded requests");
    lines.push(format!("·  asked: {made_up}, {recorded}"));
    if total > MOST {
        lines
            .push(format!("⚠️  {} more could have been made up from what these policies name", total - MOST));
    }
    let value = json!({
        "made_up": total.min(MOST),
        "recorded": counts.asked,
        "incomplete": counts.incomplete,
        "left_out": total.saturating_sub(MOST),
        "differences": differences.value(),
    });
    ui.result(&value, &lines.join("\n"))?;
    simulate::end(&differences, *exit_code)
}

/// A file of policies, or all `*.cedar` of a folder.
fn read(path: &Path) -> Result<Result<PolicySet, Vec<policy::Fault>>> {
    let paths = if path.is_dir() { files::in_folder(path)? } else { vec![path.to_owned()] };
    Ok(files::parse(&File::all(&paths)?))
}

fn made_up(named: &Named, now: Timestamp) -> Vec<Question> {
    let mut questions = Vec::new();
    let clusters: Vec<&str> = named.clusters.iter().map(String::as_str).chain(["main"]).collect();
    let (resources, operations) = (resources(named), operations(named));
    for who in askers(named) {
        for cluster in &clusters {
            for (operation, main) in &operations {
                for on in resources.iter().filter(|on| suits(operation, on)) {
                    let context = Context { cluster: (*cluster).to_owned(), ..Context::usual(&who, now) };
                    let wants = vec![(*main, on.clone())];
                    questions.push(Question {
                        who: who.clone(),
                        operation: (*operation).to_owned(),
                        main: *main,
                        wants,
                        context,
                    });
                }
            }
        }
    }
    questions
}

fn askers(named: &Named) -> Vec<Who> {
    let who = |kind, id: &str, group: Option<&String>| Who {
        kind,
        id: id.to_owned(),
        provider: String::new(),
        groups: group.map(|group| group.as_str().into()).into_iter().collect(),
    };
    let agents = named.agents.iter().map(String::as_str).chain([OTHER]).map(|id| who(Kind::Agent, id, None));
    let users = named.users.iter().map(String::as_str).chain([OTHER]).map(|id| who(Kind::User, id, None));
    let members = named.groups.iter().flat_map(|group| {
        [Kind::Agent, Kind::User].map(|kind| who(kind, &format!("one of {group}"), Some(group)))
    });
    agents.chain(users).chain(members).collect()
}

/// Each pattern, a name inside of it, and what no policy names.
fn resources(named: &Named) -> Vec<Resource> {
    let mut indices: Vec<String> = Vec::new();
    for pattern in &named.indices {
        indices.push(pattern.clone());
        if pattern.contains('*') {
            indices.push(pattern.replace('*', OTHER));
        }
    }
    indices.extend([OTHER.to_owned(), "*".to_owned()]);
    indices.sort_unstable();
    indices.dedup();
    let mut resources: Vec<Resource> =
        indices.iter().filter_map(|index| index.parse().ok()).map(Resource::Index).collect();
    resources.push(Resource::Cluster);
    resources.extend(named.plugins.iter().filter_map(|name| plugin(name)).map(Resource::Plugin));
    let dashboards = [None].into_iter().chain(named.workspaces.iter().map(|name| Some(name.as_str().into())));
    resources.extend(dashboards.map(|workspace| Resource::Dashboards { workspace }));
    resources.extend(
        named
            .types
            .iter()
            .map(|kind| Resource::SavedObject { kind: Some(kind.as_str().into()), workspace: None }),
    );
    resources
}

/// The operations that are named, and for each action one on indices and one on the cluster.
fn operations(named: &Named) -> Vec<(&'static str, Action)> {
    let on_indices = |place: Place| matches!(place, Place::Path { .. } | Place::All);
    let mut chosen: Vec<(&'static str, Action)> = Vec::new();
    for action in Action::ALL {
        let mut with = |wanted: &dyn Fn(Place) -> bool| {
            let found = rest::operations().iter().find(|known| known.action == action && wanted(known.place));
            chosen.extend(found.map(|known| (known.name, known.action)));
        };
        with(&on_indices);
        with(&|place| place == Place::Cluster);
    }
    chosen.extend(
        rest::operations()
            .iter()
            .filter(|known| named.actions.contains(known.name))
            .map(|known| (known.name, known.action)),
    );
    chosen.sort_unstable_by_key(|(name, _)| *name);
    chosen.dedup();
    chosen
}

/// Whether the operation can be for something of that kind.
fn suits(operation: &str, on: &Resource) -> bool {
    let mut known = rest::operations().iter().filter(|known| known.name == operation);
    known.any(|known| match on {
        Resource::Index(_) => {
            !matches!(known.place, Place::Cluster | Place::Plugin(_) | Place::Greeting | Place::Dashboards)
        }
        Resource::Cluster => known.place == Place::Cluster,
        Resource::Plugin(name) => known.place == Place::Plugin(name),
        // They are asked about by their action alone.
        Resource::Dashboards { .. } | Resource::SavedObject { .. } => true,
        Resource::Greeting => false,
    })
}
