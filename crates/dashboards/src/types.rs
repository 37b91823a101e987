//! The types of saved objects of `data/types.tsv`.

use std::sync::LazyLock;

use rest::{Action, Need, Origin, Resource};

#[derive(Debug)]
struct Type {
    name: &'static str,
    read: Action,
    write: Action,
}

static TYPES: LazyLock<Vec<Type>> = LazyLock::new(|| lines().filter_map(Type::parse).collect());

fn lines() -> impl Iterator<Item = &'static str> {
    include_str!("../data/types.tsv").lines().filter(|line| !line.starts_with('#')).skip(1)
}

impl Type {
    fn parse(line: &'static str) -> Option<Self> {
        let mut columns = line.split('\t');
        let (name, read, write) = (columns.next()?, columns.next()?, columns.next()?);
        columns.next()?;
        Some(Self { name, read: read.parse().ok()?, write: write.parse().ok()? })
    }
}

/// What a type takes beside the route's own need: nothing, or more on all of Dashboards.
pub(crate) fn beyond(name: &str, action: Action, origin: Origin) -> Option<Need> {
    let known = TYPES.iter().find(|known| known.name == name);
    let (takes, origin) = match known {
        Some(known) => (if action == Action::Read { known.read } else { known.write }, origin),
        None => (Action::Admin, Origin::NotUnderstood),
    };
    (takes != action).then(|| whole(takes, origin))
}

/// The type of this name; `None` for one that is not known, which could be any.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    TYPES.iter().find(|known| known.name == name).map(|known| known.name)
}

/// Saved objects of a type, or of any, in a workspace or anywhere.
pub(crate) fn objects(
    kind: Option<&str>,
    workspace: Option<Box<str>>,
    action: Action,
    origin: Origin,
) -> Need {
    Need { action, on: Resource::SavedObject { kind: kind.map(Box::from), workspace }, origin }
}

/// The workspace of a need of a place.
pub(crate) fn workspace_of(need: &Need) -> Option<Box<str>> {
    match &need.on {
        Resource::Dashboards { workspace } => workspace.clone(),
        _ => None,
    }
}

/// An action on all of Dashboards.
pub(crate) fn whole(action: Action, origin: Origin) -> Need {
    Need { action, on: Resource::Dashboards { workspace: None }, origin }
}

/// The resource that a workspace's id names. What no scope could name is taken for all of Dashboards, and so is `*`, which
/// Dashboards itself takes for all.
pub(crate) fn workspace(id: &str) -> Resource {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let named = !id.is_empty() && id.bytes().all(plain);
    Resource::Dashboards { workspace: named.then(|| id.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        let unread: Vec<_> = lines().filter(|line| Type::parse(line).is_none()).collect();
        assert_eq!(unread, [""; 0]);
    }

    #[test]
    fn types_that_reach_beyond_take_more() {
        let takes = |name, action| beyond(name, action, Origin::Path).map(|need| need.action);
        assert_eq!(takes("dashboard", Action::Write), None);
        assert_eq!(takes("dashboard", Action::Read), None);
        assert_eq!(takes("config", Action::Write), Some(Action::Manage));
        assert_eq!(takes("data-source", Action::Write), Some(Action::Admin));
        assert_eq!(takes("data-source", Action::Read), None);
        assert_eq!(takes("_find", Action::Write), Some(Action::Admin));
        assert_eq!(takes("Dashboard", Action::Read), Some(Action::Admin));
    }
}
