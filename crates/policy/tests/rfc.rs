//! Policies as people write them, the three of the request for comments first.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use policy::{Asker, Circumstances, Decision, Kind, PolicySet, Source, Wish};
use rest::{Action, Resource};

const EXAMPLES: &str = r#"
// Agent can read logs indices
@id("agent reads logs")
permit(
  principal == Agent::"my-ai-agent",
  action in [Action::"search", Action::"get"],
  resource in Index::"logs-*"
);
// CI/CD can manage dashboards but not delete indices
@id("deploys dashboards")
permit(
  principal in Group::"cicd-service-accounts",
  action in [Action::"create", Action::"update"],
  resource in ResourceType::"dashboard"
);
// Deny all agents from accessing PII indices
@id("no agent sees pii")
forbid(
  principal in Group::"agents",
  action,
  resource in Index::"logs-pii-*"
);
"#;

fn set(text: &str) -> PolicySet {
    PolicySet::parse(&[Source { name: "test.cedar".into(), text: text.into() }]).unwrap()
}

fn ask(set: &PolicySet, id: &str, group: &str, operation: &str, action: Action, on: &Resource) -> Decision {
    let asker = Asker { kind: Kind::Agent, id, provider: "keycloak", groups: &[group.into()] };
    let main =
        rest::operations().iter().find(|known| known.name == operation).map_or(action, |known| known.action);
    let about = Circumstances::new("main", id, "10.1.2.3".parse().unwrap());
    set.decide(&asker, &Wish { operation, main, action, on }, &about)
}

fn object(kind: Option<&str>, workspace: Option<&str>) -> Resource {
    Resource::SavedObject { kind: kind.map(Box::from), workspace: workspace.map(Box::from) }
}

fn index(name: &str) -> Resource {
    Resource::Index(name.parse().unwrap())
}

#[test]
fn the_examples_work_as_their_authors_meant_them() {
    let set = set(EXAMPLES);
    let table = [
        ("my-ai-agent", "agents", "search", Action::Read, index("logs-app"), true),
        ("my-ai-agent", "agents", "search", Action::Read, index("logs-app-*"), true),
        ("my-ai-agent", "agents", "get", Action::Read, index("logs-app"), true),
        ("my-ai-agent", "agents", "count", Action::Read, index("logs-app"), false),
        ("my-ai-agent", "agents", "search", Action::Read, index("logs-*"), false),
        ("my-ai-agent", "other", "search", Action::Read, index("logs-*"), true),
        ("my-ai-agent", "agents", "search", Action::Read, index("log*"), false),
        ("my-ai-agent", "agents", "search", Action::Read, index("*"), false),
        ("my-ai-agent", "agents", "search", Action::Read, index("logs-pii-1"), false),
        ("my-ai-agent", "agents", "indices.delete", Action::Manage, index("logs-app"), false),
        ("another", "agents", "search", Action::Read, index("logs-app"), false),
        ("x", "cicd-service-accounts", "create", Action::Write, object(Some("dashboard"), None), true),
        ("x", "cicd-service-accounts", "update", Action::Write, object(Some("dashboard"), Some("w1")), true),
        ("x", "cicd-service-accounts", "delete", Action::Write, object(Some("dashboard"), None), false),
        ("x", "cicd-service-accounts", "create", Action::Write, object(Some("config"), None), false),
        // Objects of any type are not only dashboards.
        ("x", "cicd-service-accounts", "create", Action::Write, object(None, None), false),
        ("x", "cicd-service-accounts", "create", Action::Write, index("dashboard"), false),
        ("x", "cicd-service-accounts", "indices.delete", Action::Manage, index("logs-app"), false),
    ];
    for (id, group, operation, action, on, allowed) in table {
        let decision = ask(&set, id, group, operation, action, &on);
        assert_eq!(decision.is_allowed(), allowed, "{id} {group} {operation} {on}: {decision:?}");
    }
    let decision = ask(&set, "my-ai-agent", "agents", "search", Action::Read, &index("logs-*"));
    assert_eq!(
        decision,
        Decision::Deny {
            forbids: vec!["no agent sees pii".into()],
            near: vec!["agent reads logs".into()],
            failed: Vec::new()
        }
    );
}

#[test]
fn an_operation_may_stand_in_a_condition() {
    let set = set(
        r#"permit(principal, action, resource) when { action == Action::"search" || action in Action::"monitor" };"#,
    );
    let on = index("logs-a");
    assert!(ask(&set, "x", "g", "search", Action::Read, &on).is_allowed());
    assert!(ask(&set, "x", "g", "indices.stats", Action::Monitor, &on).is_allowed());
    assert!(!ask(&set, "x", "g", "get", Action::Read, &on).is_allowed());
}

/// What a request is for may be objects of any type or in any workspace: a permit has to hold for all of them, a forbid for any.
#[test]
fn types_and_workspaces_are_judged_on_the_safe_side() {
    let any = r#"permit(principal, action, resource in Dashboards::"dashboards");"#;
    let table = [
        // Policy, and whether it allows: a dashboard in w1, a dashboard in w2, one anywhere, a search in w1, any type in w1.
        (any.to_owned(), [true, true, true, true, true]),
        (r#"permit(principal, action, resource in ResourceType::"dashboard");"#.into(), [true, true, true, false, false]),
        (r#"permit(principal, action, resource in Workspace::"w1");"#.into(), [true, false, false, true, true]),
        (
            format!(r#"{any} forbid(principal, action, resource in ResourceType::"dashboard");"#),
            [false, false, false, true, false],
        ),
        (
            format!(r#"{any} forbid(principal, action, resource in Workspace::"w1");"#),
            [false, true, false, false, false],
        ),
        (
            format!(r#"{any} forbid(principal, action, resource) unless {{ resource in Workspace::"w1" }};"#),
            [true, false, false, true, true],
        ),
        (
            r#"permit(principal, action, resource) when { !(resource in ResourceType::"search") };"#.into(),
            [true, true, true, false, false],
        ),
        (
            r#"permit(principal, action, resource is DashboardsObject) when { resource in ResourceType::"dashboard" && resource in Workspace::"w1" };"#
                .into(),
            [true, false, false, false, false],
        ),
    ];
    let (dashboard, search) = (Some("dashboard"), Some("search"));
    let objects = [
        object(dashboard, Some("w1")),
        object(dashboard, Some("w2")),
        object(dashboard, None),
        object(search, Some("w1")),
        object(None, Some("w1")),
    ];
    for (text, expected) in table {
        let set = set(&text);
        let allowed =
            objects.each_ref().map(|on| ask(&set, "x", "g", "update", Action::Write, on).is_allowed());
        assert_eq!(allowed, expected, "{text}");
    }
}
