//! The schema that policies are held against.

use std::{collections::BTreeMap, fmt::Write as _, sync::LazyLock};

use cedar_policy::{CedarSchemaError, Schema};
use rest::{Action, operations};

/// Entity types and context, as people read them.
const TYPES: &str = include_str!("../data/schema.cedarschema");

/// What an action can be done to, and by whom.
const APPLIES: &str = "appliesTo {
  principal: [Agent, User],
  resource: [Index, Cluster, Plugin, Dashboards, Workspace, DashboardsObject],
  context: Circumstances,
}";

/// The type that stands for what may be touched, beside `Index` for what lies inside.
pub(crate) const TWIN: &str = "IndexReach";

/// The schema in Cedar's own format: types, then an action for each operation of the engine.
///
/// Each operation is in the group of what it mainly does. What else it does (`_reindex` writes and reads) is asked for as
/// the action [`part`] of that group, so that a permit to write does not let it read.
pub fn text() -> String {
    let mut text = TYPES.to_owned();
    let groups = Action::ALL.map(|action| format!("{:?}", action.as_str()));
    let _ = writeln!(text, "\naction {};", groups.join(", "));
    for action in Action::ALL {
        let _ = writeln!(text, "action {:?} in [{:?}] {APPLIES};", part(action), action.as_str());
    }
    let by_name: BTreeMap<&str, Action> =
        operations().iter().map(|operation| (operation.name, operation.action)).collect();
    for (name, action) in by_name {
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

/// The schema for policies as they are written.
pub(crate) fn written() -> &'static Parsed {
    static WRITTEN: LazyLock<Parsed> = LazyLock::new(|| text().parse().map_err(Box::new));
    &WRITTEN
}

/// The schema for policies as they are evaluated, which knows the twins.
pub(crate) fn evaluated() -> &'static Parsed {
    static EVALUATED: LazyLock<Parsed> = LazyLock::new(|| {
        let twin = format!("entity {TWIN};\nentity Index in [Index, {TWIN},");
        text().replace("entity Index in [Index,", &twin).parse().map_err(Box::new)
    });
    &EVALUATED
}
