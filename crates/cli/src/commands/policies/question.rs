//! A question to the policies, and what they answer.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use policy::{Asker, Circumstances, Decision, Kind, PolicySet, Wish};
use rest::{Action, Place, Resource};

/// Who asks for what, and under which circumstances.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) who: Who,
    /// The name of the operation.
    pub(super) operation: String,
    /// What the operation mainly does.
    pub(super) main: Action,
    /// Each must be allowed.
    pub(super) wants: Vec<(Action, Resource)>,
    pub(super) context: Context,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) groups: Vec<Box<str>>,
}

/// Under which circumstances.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) cluster: String,
    pub(super) client: String,
    pub(super) scopes: Vec<Box<str>>,
    pub(super) source: IpAddr,
    pub(super) time: Timestamp,
    pub(super) token_age: Duration,
    pub(super) acr: Option<String>,
    pub(super) tenant: Option<String>,
}

impl Who {
    /// For people, as in `agent report-agent`.
    pub(super) fn told(&self) -> String {
        let kind = match self.kind {
            Kind::Agent => "agent",
            Kind::User => "user",
        };
        format!("{kind} {}", self.id)
    }
}

impl Context {
    /// With a new token, on the cluster `main`, from this machine.
    pub(super) fn usual(who: &Who, now: Timestamp) -> Self {
        Self {
            cluster: "main".to_owned(),
            // An agent is known by its client id.
            client: if who.kind == Kind::Agent { who.id.clone() } else { String::new() },
            scopes: Vec::new(),
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            time: now,
            token_age: Duration::ZERO,
            acr: None,
            tenant: None,
        }
    }
}

impl Question {
    /// What the policies say. Allowed only if all that is wanted is, as a request is.
    pub(super) fn ask(&self, set: &PolicySet) -> Answer {
        let Who { kind, id, provider, groups } = &self.who;
        let asker = Asker { kind: *kind, id, provider, groups };
        let Context { cluster, client, scopes, source, time, token_age, acr, tenant } = &self.context;
        let about = Circumstances {
            scopes,
            time: *time,
            token_age: *token_age,
            acr: acr.as_deref(),
            tenant: tenant.as_deref(),
            ..Circumstances::new(cluster, client, *source)
        };
        let mut permits = Answer { allowed: true, ..Answer::default() };
        let mut denial = Answer::default();
        for (action, on) in &self.wants {
            let wish = Wish { operation: &self.operation, main: self.main, action: *action, on };
            match set.decide(&asker, &wish, &about) {
                Decision::Allow { permits: by } => add(&mut permits.by, by),
                Decision::Deny { forbids, near, failed } => {
                    permits.allowed = false;
                    add(&mut denial.by, forbids);
                    add(&mut denial.near, near);
                    denial.failed.extend(failed);
                }
            }
        }
        if permits.allowed { permits } else { denial }
    }

    /// For people, as in `agent a, search on logs-1`.
    pub(super) fn told(&self) -> String {
        let on: Vec<String> = self
            .wants
            .iter()
            .map(
                |(action, on)| if *action == self.main { on.to_string() } else { format!("{on} ({action})") },
            )
            .collect();
        format!("{}, {} on {}", self.who.told(), self.operation, on.join(", "))
    }
}

fn add(known: &mut Vec<Arc<str>>, more: Vec<Arc<str>>) {
    for id in more {
        if !known.contains(&id) {
            known.push(id);
        }
    }
}

/// What the policies say.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) allowed: bool,
    /// The policies that decide.
    pub(super) by: Vec<Arc<str>>,
    /// Permits that hold elsewhere or under other circumstances, where none permits it.
    pub(super) near: Vec<Arc<str>>,
    /// Why policies could not be evaluated.
    pub(super) failed: Vec<String>,
}

impl Answer {
    /// For people.
    pub(super) fn told(&self) -> String {
        if !self.failed.is_empty() {
            return format!("denied, since policies could not be evaluated: {}", self.failed.join("; "));
        }
        match (self.allowed, self.by.is_empty(), self.near.is_empty()) {
            (true, ..) => format!("permitted by {}", quoted(&self.by)),
            (false, false, _) => format!("forbidden by {}", quoted(&self.by)),
            (false, true, true) => "no policy permits it".to_owned(),
            (false, true, false) => format!(
                "no policy permits it; elsewhere or under other circumstances {} would",
                quoted(&self.near)
            ),
        }
    }

    /// `allow` or `deny`.
    pub(super) fn word(&self) -> &'static str {
        word(self.allowed)
    }
}

/// `allow` or `deny`.
pub(super) fn word(allowed: bool) -> &'static str {
    if allowed { "allow" } else { "deny" }
}

pub(super) fn quoted(ids: &[Arc<str>]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

/// For programs.
pub(super) fn texts(ids: &[Arc<str>]) -> Vec<&str> {
    ids.iter().map(AsRef::as_ref).collect()
}

/// The plugin of this name, if there is an operation for it.
pub(super) fn plugin(name: &str) -> Option<&'static str> {
    rest::operations().iter().flat_map(|operation| operation.demands).find_map(|demand| match demand.on {
        Place::Plugin(known) if known == name => Some(known),
        _ => None,
    })
}
