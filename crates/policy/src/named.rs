//! What policies speak of: the entities that they name.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{PolicySet, schema::TWINS};

/// The ids of entities that policies name, by type.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Named {
    /// `Agent::"…"`
    pub agents: BTreeSet<String>,
    /// `User::"…"`
    pub users: BTreeSet<String>,
    /// `Group::"…"`
    pub groups: BTreeSet<String>,
    /// `Action::"…"`: operations and actions.
    pub actions: BTreeSet<String>,
    /// `Index::"…"`: names and patterns.
    pub indices: BTreeSet<String>,
    /// `Cluster::"…"`
    pub clusters: BTreeSet<String>,
    /// `Plugin::"…"`
    pub plugins: BTreeSet<String>,
    /// `Workspace::"…"`
    pub workspaces: BTreeSet<String>,
    /// `ResourceType::"…"`
    pub types: BTreeSet<String>,
}

impl PolicySet {
    /// The entities that the policies name.
    pub fn named(&self) -> Named {
        let mut named = Named::default();
        // What is evaluated was read from this form, and can be written as it.
        for json in self.policies.iter().filter_map(|ready| ready.policy.to_json().ok()) {
            named.collect(&json);
        }
        named
    }
}

impl Named {
    /// What both name.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.agents.extend(other.agents);
        self.users.extend(other.users);
        self.groups.extend(other.groups);
        self.actions.extend(other.actions);
        self.indices.extend(other.indices);
        self.clusters.extend(other.clusters);
        self.plugins.extend(other.plugins);
        self.workspaces.extend(other.workspaces);
        self.types.extend(other.types);
        self
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::Object(object) => {
                let text = |name: &str| object.get(name).and_then(Value::as_str);
                if let (Some(kind), Some(id)) = (text("type"), text("id"))
                    && let Some(ids) = self.of(kind)
                {
                    ids.insert(id.to_owned());
                }
                object.values().for_each(|inner| self.collect(inner));
            }
            Value::Array(items) => items.iter().for_each(|inner| self.collect(inner)),
            _ => {}
        }
    }

    fn of(&mut self, kind: &str) -> Option<&mut BTreeSet<String>> {
        // A twin stands where a pattern is tested from its other side.
        let twin_of = TWINS.iter().find(|(_, twin)| twin.as_str() == kind).map(|(kind, _)| kind.as_str());
        Some(match twin_of.unwrap_or(kind) {
            "Agent" => &mut self.agents,
            "User" => &mut self.users,
            "Group" => &mut self.groups,
            "Action" => &mut self.actions,
            "Index" => &mut self.indices,
            "Cluster" => &mut self.clusters,
            "Plugin" => &mut self.plugins,
            "Workspace" => &mut self.workspaces,
            "ResourceType" => &mut self.types,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{PolicySet, Source};

    #[test]
    fn everything_that_is_named_is_found_on_both_sides_of_a_pattern() {
        let text = r#"
            permit(principal in Group::"ops", action in [Action::"search", Action::"write"], resource in Index::"logs-*")
            unless { resource in Index::"logs-pii-*" };
            forbid(principal == Agent::"bot", action, resource in Cluster::"main");
            forbid(principal == User::"ann", action, resource) when { context.cluster == "x" };
        "#;
        let named = PolicySet::parse(&[Source { name: "p".into(), text: text.into() }]).unwrap().named();
        let texts = |ids: &std::collections::BTreeSet<String>| ids.iter().cloned().collect::<Vec<_>>();
        assert_eq!(texts(&named.groups), ["ops"]);
        assert_eq!(texts(&named.actions), ["search", "write"]);
        assert_eq!(texts(&named.indices), ["logs-*", "logs-pii-*"]);
        assert_eq!((texts(&named.agents), texts(&named.users)), (vec!["bot".into()], vec!["ann".into()]));
        assert_eq!(texts(&named.clusters), ["main"]);
    }
}
