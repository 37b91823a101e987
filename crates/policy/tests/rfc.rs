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
  action in [Action::"write"],
  resource in Dashboards::"dashboards"
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
        (
            "x",
            "cicd-service-accounts",
            "saved_objects.import",
            Action::Write,
            Resource::Dashboards { workspace: None },
            true,
        ),
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
