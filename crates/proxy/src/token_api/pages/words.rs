//! Scopes and times as people say them.

use access::{Governed, Grant, Scope};
use rest::Action;

/// What a scope lets one do.
pub(super) fn sentence(scope: &Scope) -> String {
    let what = match &scope.grant {
        Grant::Index { action, target } => {
            let verb = match action {
                Action::Read => "Read",
                Action::Write => "Write and delete documents in",
                Action::Manage => "Create, change and delete indices named",
                Action::Monitor => "See health and figures of",
                Action::Admin => "Do everything with",
            };
            match target.to_string().as_str() {
                "*" if *action == Action::Manage => "Create, change and delete all indices".to_owned(),
                "*" => format!("{verb} all indices"),
                target => format!("{verb} {target}"),
            }
        }
        Grant::Cluster(action) => match action {
            Action::Read => "Read what concerns the whole cluster",
            Action::Write => "Write what concerns the whole cluster",
            Action::Manage => "Change templates, pipelines and other things of the whole cluster",
            Action::Monitor => "See health and figures of the cluster",
            Action::Admin => "Administer the cluster: everything",
        }
        .to_owned(),
        Grant::Plugin { action, name } => format!("{} what the plugin {name} keeps", verb(*action)),
        Grant::Dashboards { action, workspace: None } => format!("{} Dashboards", verb(*action)),
        Grant::Dashboards { action, workspace: Some(workspace) } => {
            format!("{} the workspace {workspace} of Dashboards", verb(*action))
        }
        Grant::Governance { action, of } => {
            let what = match of {
                Governed::Tokens => "the tokens of everybody",
                Governed::Decisions => "what was decided about everybody's requests",
                Governed::Policies => "the policies that are kept here",
            };
            let does = match (action, of) {
                (Action::Monitor, _) => "See",
                (_, Governed::Policies) => "See and change",
                _ => "See, end and approve",
            };
            format!("{does} {what}")
        }
        Grant::Role(role) => format!("Use the engine role {role}"),
    };
    match &scope.cluster {
        Some(cluster) => format!("{what}, on {cluster} only"),
        None => what,
    }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Read => "Read",
        Action::Write => "Write to",
        Action::Manage => "Manage",
        Action::Monitor => "See health and figures of",
        Action::Admin => "Do everything with",
    }
}

/// A time in the greatest unit that gives a whole number.
pub(super) fn duration(seconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(24 * 60 * 60, "day"), (60 * 60, "hour"), (60, "minute")];
    let unit = UNITS.into_iter().find(|(length, _)| seconds.is_multiple_of(*length));
    let (count, unit) = unit.map_or((seconds, "second"), |(length, unit)| (seconds / length, unit));
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_in_words() {
        for (scope, words) in [
            ("read:logs-*", "Read logs-*"),
            ("read:*", "Read all indices"),
            ("write:logs-app-*", "Write and delete documents in logs-app-*"),
            ("manage:*", "Create, change and delete all indices"),
            ("admin:logs-*", "Do everything with logs-*"),
            ("one/read:logs-*", "Read logs-*, on one only"),
            ("monitor:cluster", "See health and figures of the cluster"),
            ("read:dashboards", "Read Dashboards"),
            ("write:plugin/alerting", "Write to what the plugin alerting keeps"),
            ("monitor:tokens", "See the tokens of everybody"),
            ("admin:policies", "See and change the policies that are kept here"),
        ] {
            assert_eq!(sentence(&scope.parse().unwrap()), words);
        }
    }

    #[test]
    fn times_in_words() {
        for (seconds, words) in [
            (90, "90 seconds"),
            (900, "15 minutes"),
            (3600, "1 hour"),
            (8 * 3600, "8 hours"),
            (36 * 3600, "36 hours"),
            (86_400, "1 day"),
            (30 * 86_400, "30 days"),
        ] {
            assert_eq!(duration(seconds), words);
        }
    }
}
