//! Who may be issued what. No I/O.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use access::{Condition, Rights, Scope, Subject};
use thiserror::Error;

use crate::{Details, Party};

/// What may be issued at all, and to whom.
#[derive(Clone, Debug)]
pub struct Policies {
    /// The lifetime of a token for which none was asked.
    pub default_lifetime: Duration,
    /// The longest, whatever a policy says.
    pub max_lifetime: Duration,
    /// The first that holds and allows all that was asked decides; if none allows all, the first that allows a part. Without
    /// any, everyone may have tokens within what they hold, for themselves and without approval.
    pub policies: Vec<Policy>,
}

/// Who may be issued which scopes, and on what terms.
#[derive(Clone, Debug)]
pub struct Policy {
    /// For audit records and messages.
    pub name: Box<str>,
    /// Whose token must be presented; `None`: anyone's.
    pub when: Option<Condition>,
    /// Within which scopes.
    pub scopes: Vec<Scope>,
    /// How long at most.
    pub max_lifetime: Option<Duration>,
    /// What must be noted.
    pub require: Vec<Field>,
    /// Whether somebody else must approve first.
    pub approval: Approval,
    /// Whether the token may be for somebody else than who presents a token for it.
    pub for_others: bool,
}

/// Whether a token must be approved before it can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Approval {
    /// It can be used at once.
    NotNeeded,
    /// By somebody else than the asker.
    Required,
}

/// Something that a policy can ask to be noted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Field {
    /// The name.
    Name,
    /// The description.
    Description,
    /// An entry of the metadata.
    Metadata(Box<str>),
}

/// The text is not something that can be asked for.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{0:?} cannot be required: write name, description or metadata.<key>")]
pub struct FieldError(Box<str>);

impl FromStr for Field {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        match (text, text.strip_prefix("metadata.")) {
            ("name", _) => Ok(Self::Name),
            ("description", _) => Ok(Self::Description),
            (_, Some(key)) if !key.is_empty() => Ok(Self::Metadata(key.into())),
            _ => Err(FieldError(text.into())),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("name"),
            Self::Description => f.write_str("description"),
            Self::Metadata(key) => write!(f, "metadata.{key}"),
        }
    }
}

impl Field {
    fn is_in(&self, details: &Details) -> bool {
        match self {
            Self::Name => details.name().is_some(),
            Self::Description => details.description().is_some(),
            Self::Metadata(key) => details.metadata().get(key).is_some_and(|value| !value.is_empty()),
        }
    }
}

/// What somebody would like to be issued.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The scopes; `None`: all that is held.
    pub scopes: Option<Vec<Scope>>,
    /// How long; `None`: as is usual.
    pub lifetime: Option<Duration>,
    /// What is noted about it.
    pub details: Details,
    /// Whom it is for, if for somebody else than who presents a token for it.
    pub owner: Option<Party>,
}

/// On what terms a token is issued. Only [`Policies::judge`] makes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    pub(crate) scopes: Vec<Scope>,
    pub(crate) lifetime: Duration,
    pub(crate) approval: Approval,
    pub(crate) policy: Option<Box<str>>,
    pub(crate) details: Details,
    pub(crate) owner: Option<Party>,
    narrowed: Vec<Scope>,
}

/// Nothing is issued. Each says what would do.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum PolicyError {
    /// There is nothing to give on.
    #[error("the presented token holds no scope here, so there is nothing to issue a token for")]
    NothingHeld,
    /// Nothing that was asked is held.
    #[error(
        "nothing that was asked for is held by the presented token: ask for scopes inside {}",
        List(held)
    )]
    NotHeld {
        /// What is.
        held: Vec<Scope>,
    },
    /// Too many scopes.
    #[error("more than {} scopes were asked for: ask for fewer, wider ones", Policies::MAX_SCOPES)]
    TooManyScopes,
    /// No policy is for this caller.
    #[error("no issuance policy is for the presented token: whoever runs the proxy can add one")]
    NoPolicy,
    /// None of the policies for this caller allows it.
    #[error(
        "no issuance policy for the presented token allows these scopes: ask for scopes inside {}",
        List(allowed)
    )]
    NotAllowed {
        /// What they allow.
        allowed: Vec<Scope>,
    },
    /// The policy asks for a note.
    #[error("the issuance policy {policy} requires {field}: give one")]
    Missing {
        /// The policy.
        policy: Box<str>,
        /// What.
        field: Field,
    },
    /// No policy allows tokens for others.
    #[error("no issuance policy lets the presented token ask for somebody else's: ask for your own")]
    ForOthers,
    /// No time at all.
    #[error("a lifetime of zero was asked for: ask for one second or more")]
    NoLifetime,
}

struct List<'s>(&'s [Scope]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            write!(f, "{}{scope}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl Terms {
    /// The scopes to be granted: inside what was asked, what is held and what is allowed.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// How long.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Whether somebody else must approve first.
    pub fn approval(&self) -> Approval {
        self.approval
    }

    /// The policy that allows it.
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// The scopes that were asked for and are not granted whole. RFC 6749 section 3.3 leaves it to the server to grant less or to
    /// refuse.
    pub fn narrowed(&self) -> &[Scope] {
        &self.narrowed
    }
}

impl Policies {
    /// How many scopes can be asked for at once.
    pub const MAX_SCOPES: usize = 100;

    /// Whether it may be issued, and on what terms. `rights` are those of the presented token, on each cluster that
    /// the new one is to be for.
    pub fn judge<S: Subject>(
        &self,
        asked: Asked,
        subject: &S,
        rights: &[&Rights],
    ) -> Result<Terms, PolicyError> {
        if asked.lifetime.is_some_and(|lifetime| lifetime.as_secs() == 0) {
            return Err(PolicyError::NoLifetime);
        }
        let asked_scopes = asked.scopes.as_deref();
        if asked_scopes.is_some_and(|scopes| scopes.len() > Self::MAX_SCOPES) {
            return Err(PolicyError::TooManyScopes);
        }
        let held = within(None, rights);
        if held.is_empty() {
            return Err(PolicyError::NothingHeld);
        }
        let within = within(asked_scopes, rights);
        if within.is_empty() {
            return Err(PolicyError::NotHeld { held });
        }
        let (policy, scopes) = self.choose(&within, asked.owner.is_some(), subject)?;
        if let Some(policy) = policy
            && let Some(field) = policy.require.iter().find(|field| !field.is_in(&asked.details))
        {
            return Err(PolicyError::Missing { policy: policy.name.clone(), field: field.clone() });
        }
        let longest = policy.and_then(|policy| policy.max_lifetime).unwrap_or(self.max_lifetime);
        let lifetime = asked.lifetime.unwrap_or(self.default_lifetime).min(longest).min(self.max_lifetime);
        let mut narrowed = asked.scopes.unwrap_or_default();
        narrowed.retain(|scope| !is_granted(scope, &scopes, rights));
        Ok(Terms {
            scopes,
            lifetime,
            approval: policy.map_or(Approval::NotNeeded, |policy| policy.approval),
            policy: policy.map(|policy| policy.name.clone()),
            details: asked.details,
            owner: asked.owner,
            narrowed,
        })
    }

    fn choose<S: Subject>(
        &self,
        within: &[Scope],
        for_other: bool,
        subject: &S,
    ) -> Result<(Option<&Policy>, Vec<Scope>), PolicyError> {
        if self.policies.is_empty() {
            return if for_other { Err(PolicyError::ForOthers) } else { Ok((None, within.to_vec())) };
        }
        let meant = |policy: &&Policy| policy.when.as_ref().is_none_or(|when| when.is_met_by(subject));
        let mut candidates: Vec<&Policy> = self.policies.iter().filter(meant).collect();
        if candidates.is_empty() {
            return Err(PolicyError::NoPolicy);
        }
        candidates.retain(|policy| policy.for_others || !for_other);
        if candidates.is_empty() {
            return Err(PolicyError::ForOthers);
        }
        let granted = candidates.iter().map(|policy| (*policy, common(within, &policy.scopes)));
        let mut granted: Vec<_> = granted.filter(|(_, scopes)| !scopes.is_empty()).collect();
        let whole =
            granted.iter().position(|(_, scopes)| within.iter().all(|scope| is_inside(scope, scopes)));
        if granted.is_empty() {
            let mut allowed: Vec<Scope> = Vec::new();
            candidates
                .iter()
                .flat_map(|policy| &policy.scopes)
                .for_each(|scope| add(&mut allowed, scope.clone()));
            return Err(PolicyError::NotAllowed { allowed });
        }
        let (policy, scopes) = granted.swap_remove(whole.unwrap_or(0));
        Ok((Some(policy), scopes))
    }
}

/// What is held on any of the clusters, as far as it was asked for.
fn within(asked: Option<&[Scope]>, rights: &[&Rights]) -> Vec<Scope> {
    let mut found = Vec::new();
    for rights in rights {
        let held: Vec<Scope> = rights.held_scopes().cloned().collect();
        let here = |scope: &&Scope| scope.cluster.as_ref().is_none_or(|name| **name == **rights.cluster());
        let scopes = match asked {
            Some(asked) => common(&asked.iter().filter(here).cloned().collect::<Vec<_>>(), &held),
            None => held,
        };
        for scope in scopes {
            add(&mut found, scope);
        }
    }
    found
}

/// Whether all that was asked with this scope is granted. Where there is one cluster only, its name says nothing.
fn is_granted(asked: &Scope, granted: &[Scope], rights: &[&Rights]) -> bool {
    let named = match rights {
        [only] => Scope {
            cluster: asked.cluster.clone().or_else(|| Some((**only.cluster()).into())),
            ..asked.clone()
        },
        _ => asked.clone(),
    };
    is_inside(&named, granted)
}

/// What both lists allow, as far as scopes can say it.
fn common(these: &[Scope], those: &[Scope]) -> Vec<Scope> {
    let mut found = Vec::new();
    for scope in these {
        those.iter().filter_map(|other| scope.common(other)).for_each(|common| add(&mut found, common));
    }
    // One inside another says nothing more.
    let all = found.clone();
    found.retain(|scope| {
        !all.iter().any(|other| other != scope && covers(other, scope) && !covers(scope, other))
    });
    found
}

fn covers(wide: &Scope, scope: &Scope) -> bool {
    (wide.cluster.is_none() || wide.cluster == scope.cluster) && scope.grant.within(&wide.grant)
}

/// Whether one of the scopes allows all that this one does.
pub(crate) fn is_inside(scope: &Scope, scopes: &[Scope]) -> bool {
    scopes.iter().any(|wide| covers(wide, scope))
}

fn add(list: &mut Vec<Scope>, scope: Scope) {
    if !list.contains(&scope) {
        list.push(scope);
    }
}
