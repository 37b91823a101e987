//! The schema that policies are held against.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use cedar_policy::{CedarSchemaError, Schema};
use rest::{Action, operations};

use crate::decide::EntityType;

/// Entity types and context, as people read them.
const TYPES: &str = include_str!("../data/schema.cedarschema");

/// What an action can be done to, and by whom.
const APPLIES: &str = "appliesTo {
  principal: [Agent, User],
  resource: [Index, Cluster, Plugin, Dashboards, Workspace, DashboardsObject],
  context: Circumstances,
}";

/// Types of which a request can be for several, or all, with the types that stand for what may be touched beside what lies inside.
pub(crate) const TWINS: [(EntityType, EntityType); 3] = [
    (EntityType::Index, EntityType::IndexReach),
    (EntityType::ResourceType, EntityType::ResourceTypeReach),
    (EntityType::Workspace, EntityType::WorkspaceReach),
];

/// The twin of a type.
pub(crate) fn twin(of: &str) -> Option<EntityType> {
    TWINS.iter().find(|(kind, _)| kind.as_str() == of).map(|(_, twin)| *twin)
}

/// The schema in Cedar's own format: types, then an action for each operation of the engine.
///
/// Each operation is in the group of what it mainly does. What else it does (`_reindex` writes and reads) is asked for as
/// the action [`part`] of that group, so that a permit to write does not let it read.
pub fn text() -> String {
    with_actions(|_| true)
}

/// The schema with the operations for which `wanted` holds.
fn with_actions(wanted: impl Fn(&str) -> bool) -> String {
    let mut text = TYPES.to_owned();
    let groups = Action::ALL.map(|action| format!("{:?}", action.as_str()));
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\naction {};", groups.join(", "));
    for action in Action::ALL {
        let _ = writeln!(text, "action {:?} in [{:?}] {APPLIES};", part(action), action.as_str());
    }
    let by_name: BTreeMap<&str, Action> =
        operations().iter().map(|operation| (operation.name, operation.action)).collect();
    for (name, action) in by_name.into_iter().filter(|(name, _)| wanted(name)) {
        let _ = writeln!(text, "action {name:?} in [{:?}] {APPLIES};", action.as_str());
    }
    text
}

/// The action of what an operation does beside what it mainly does.
pub(crate) fn part(action: Action) -> String {
    format!("{action} by another operation")
}

/// What became of a schema's text.
type Parsed = Result<Schema, Box<CedarSchemaError>>;

/// The schema for policies as they are written, with the operations that these name.
///
/// Cedar holds each policy against each action of the schema. All operations apply to the same things under the same
/// circumstances, so what is true of those that are named and of the parts is true of all, and a thousand policies are read in a
/// moment instead of half a minute. An operation that does not exist is in neither.
pub(crate) fn written(named: &BTreeSet<String>) -> Parsed {
    with_actions(|name| named.contains(name)).parse().map_err(Box::new)
}

/// The schema for policies as they are evaluated, which knows the twins.
pub(crate) fn evaluated(named: &BTreeSet<String>) -> Parsed {
    let mut text = with_actions(|name| named.contains(name))
        .replace("entity Index in [", "entity Index in [IndexReach, ")
        .replace(
            "entity DashboardsObject in [",
            "entity DashboardsObject in [ResourceTypeReach, WorkspaceReach, ",
        )
        .replace("entity Workspace in [", "entity Workspace in [WorkspaceReach, ");
    for (_, twin) in TWINS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "entity {};", twin.as_str());
    }
    text.parse().map_err(Box::new)
}
