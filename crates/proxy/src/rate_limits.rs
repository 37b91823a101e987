//! How often may it: requests of a verified caller against the budgets of the rules.
//!
//! Asked after authentication and before anything of the body is read, so that only identities count that somebody vouches for. All
//! rules that apply must allow a request, and one that is refused costs nothing: their budgets are held together, in the order of
//! the rules, while it is decided.

mod budgets;
mod failures;
mod fields;
mod quota;

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
    time::{Duration, Instant},
};

use config::model::{self, RatePartition};
use oidc::{BearerToken, TokenHash};
use rest::{Action, Operation};
use smallvec::SmallVec;

pub(crate) use self::fields::seconds;
use self::{
    budgets::{Budget, Budgets},
    quota::Quota,
};
pub use self::{failures::Failures, fields::Standing};
use crate::principal::Principal;

/// The rules in force.
#[derive(Debug, Default)]
pub struct RateLimits {
    rules: Box<[Rule]>,
    failures: Option<Failures>,
}

/// One rule, and what is spent under it.
#[derive(Debug)]
struct Rule {
    settings: model::RateLimit,
    name: Arc<str>,
    quota: Quota,
    /// Outlive a reload that does not change the rule.
    budgets: Arc<Budgets>,
}

/// A request as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// With which token.
    pub token: &'a BearerToken,
    /// Of which cluster.
    pub cluster: &'a str,
    /// What; `None` if the proxy does not know such an operation.
    pub operation: Option<&'static Operation>,
}

/// A budget that does not suffice for a request.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the rate limit `{rule}` allows no further request now; try again in {} s", seconds(*wait))]
pub struct Exceeded {
    /// Whose; of several, the one to wait for the longest.
    pub rule: Arc<str>,
    /// How long until it does, if nothing else is asked meanwhile.
    pub wait: Duration,
}

/// What is counted under a rule, for metrics.
#[derive(Clone, Debug)]
pub struct Status {
    /// The rule.
    pub rule: Arc<str>,
    /// Identities with a budget of which something was spent lately.
    pub identities: usize,
    /// Requests of identities for which there was no room, so that they shared a budget.
    pub crowded: u64,
}

impl RateLimits {
    /// Compiles `settings`. What is spent under rules that `previous` has just so stays spent.
    pub fn new(settings: Option<&model::RateLimits>, previous: Option<&Self>) -> Self {
        let Some(model::RateLimits { replicas, rules, failed_authentications }) = settings else {
            return Self::default();
        };
        let rules = rules
            .iter()
            .map(|settings| {
                let quota =
                    Quota::share(settings.requests, settings.every.get(), settings.burst(), *replicas);
                let kept = previous.and_then(|previous| {
                    previous.rules.iter().find(|rule| rule.settings == *settings && rule.quota == quota)
                });
                let budgets = kept
                    .map_or_else(|| Arc::new(Budgets::new(Instant::now())), |rule| Arc::clone(&rule.budgets));
                Rule { settings: settings.clone(), name: settings.name.as_str().into(), quota, budgets }
            })
            .collect();
        let previous = previous.and_then(|previous| previous.failures.as_ref());
        let failures =
            failed_authentications.as_ref().map(|settings| Failures::new(settings, *replicas, previous));
        Self { rules, failures }
    }

    /// Spends what a request costs under every rule that applies to it, or nothing. Tells in either case where the caller stands.
    pub fn admit(&self, asked: &Asked<'_>, now: Instant) -> (Standing, Result<(), Exceeded>) {
        let mut held: SmallVec<[Held<'_>; 4]> = SmallVec::new();
        let mut exceeded: Option<Exceeded> = None;
        for rule in self.rules.iter().filter(|rule| rule.applies(asked)) {
            let budget = rule.budgets.hold(rule.identity(asked), now);
            let after = match rule.quota.spend(budget.whole_at(), budget.now(), rule.weight(asked)) {
                Ok(after) => after,
                Err(wait) => {
                    if exceeded.as_ref().is_none_or(|longest| longest.wait < wait) {
                        exceeded = Some(Exceeded { rule: Arc::clone(&rule.name), wait });
                    }
                    budget.whole_at()
                }
            };
            held.push(Held { rule, budget, after });
        }
        let mut standing = Standing::default();
        for Held { rule, mut budget, after } in held {
            if exceeded.is_none() {
                budget.set(after);
            }
            standing.add(&rule.name, rule.quota, rule.quota.left(budget.whole_at(), budget.now()));
        }
        (standing, exceeded.map_or(Ok(()), Err))
    }

    /// What bounds tokens that are refused, if that is configured.
    pub fn failures(&self) -> Option<&Failures> {
        self.failures.as_ref()
    }

    /// The state of every rule.
    pub fn status(&self) -> impl Iterator<Item = Status> {
        self.rules.iter().map(|rule| Status {
            rule: Arc::clone(&rule.name),
            identities: rule.budgets.len(),
            crowded: rule.budgets.crowded(),
        })
    }
}

/// A budget while the other rules are asked.
struct Held<'r> {
    rule: &'r Rule,
    budget: Budget<'r>,
    after: u64,
}

impl Rule {
    fn applies(&self, asked: &Asked<'_>) -> bool {
        let model::RateLimit { per, actions, clusters, clients, .. } = &self.settings;
        let action = asked.action();
        actions.as_ref().is_none_or(|actions| action.is_some_and(|action| actions.contains(&action)))
            && clusters.as_ref().is_none_or(|names| names.iter().any(|name| name == asked.cluster))
            && clients.as_ref().is_none_or(|names| names.iter().any(|name| name == asked.client()))
            && (!per.contains(&RatePartition::User) || asked.principal.identity().user_id.is_some())
    }

    fn weight(&self, asked: &Asked<'_>) -> u32 {
        let weight = asked.operation.and_then(|operation| self.settings.weights.get(operation.name));
        weight.copied().unwrap_or(1)
    }

    fn identity<'a>(&'a self, asked: &'a Asked<'a>) -> Identity<'a> {
        Identity { per: &self.settings.per, asked }
    }
}

impl Asked<'_> {
    fn action(&self) -> Option<Action> {
        self.operation.map(|operation| operation.action)
    }

    /// A token that names no client stands for the one that it was issued to as its subject.
    fn client(&self) -> &str {
        let identity = self.principal.identity();
        identity.client_id.as_deref().unwrap_or(&identity.subject)
    }
}

/// What a rule tells apart of a request.
struct Identity<'a> {
    per: &'a [RatePartition],
    asked: &'a Asked<'a>,
}

impl Hash for Identity<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let asked = self.asked;
        let identity = asked.principal.identity();
        for partition in self.per {
            match partition {
                // A managed token is the same after its secret was rotated.
                RatePartition::Token => match asked.principal.managed() {
                    Some(token) => token.id.as_str().hash(state),
                    None => TokenHash::as_bytes(&asked.token.hash()).hash(state),
                },
                RatePartition::Client => (&identity.provider, asked.client()).hash(state),
                // By the subject, since a name may be the person's to change.
                RatePartition::User => (&identity.provider, &identity.subject).hash(state),
                RatePartition::Cluster => asked.cluster.hash(state),
                RatePartition::Action => asked.action().hash(state),
            }
        }
    }
}
