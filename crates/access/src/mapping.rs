use std::borrow::Cow;
use std::fmt;

use claims::ClaimPath;

use crate::{Glob, Scope};

/// What the mapper reads of a verified token.
pub trait Subject {
    /// The scopes as the issuer wrote them.
    fn scopes(&self) -> impl Iterator<Item = &str>;
    /// The groups or roles that the issuer put the subject in.
    fn groups(&self) -> impl Iterator<Item = &str>;
    /// The texts of a claim; see [`ClaimPath::texts`].
    fn claim(&self, path: &ClaimPath) -> Vec<Cow<'_, str>>;
    /// Whom the token is for (`aud`).
    fn audiences(&self) -> impl Iterator<Item = &str>;
}

/// A token that says nothing but its scopes.
#[derive(Clone, Debug)]
pub struct ScopesOnly<S>(pub Vec<S>);

impl<S: AsRef<str>> Subject for ScopesOnly<S> {
    fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    fn groups(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    fn claim(&self, _: &ClaimPath) -> Vec<Cow<'_, str>> {
        Vec::new()
    }

    fn audiences(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
}

/// What the operator grants to tokens that meet a condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mapping {
    /// When it applies.
    pub when: Condition,
    /// On which clusters; `None`: wherever a scope without a cluster prefix counts.
    pub clusters: Option<Vec<Box<str>>>,
    /// What it grants.
    pub grant: Granted,
}

/// When a mapping applies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// A scope of the token, as the issuer wrote it, matches. Not for texts of the scope grammar: see
    /// [`Self::of_scope`].
    Scope(Glob),
    /// A scope of the token is this one. A `*` in it is part of the scope and matches nothing else.
    OwnScope(Scope),
    /// A group of the token matches.
    Group(Glob),
    /// One of the claim's texts is this one.
    Claim {
        /// Where the claim stands.
        path: ClaimPath,
        /// The text it must hold.
        equals: Box<str>,
    },
    /// All of them hold. An empty list never does.
    All(Vec<Self>),
}

/// What a mapping grants.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Granted {
    /// Scopes in the scope grammar. When empty, the mapping adds roles only: to the token's own scopes that its
    /// condition named, or else to whatever else allows a request.
    pub scopes: Vec<Scope>,
    /// Engine roles under which requests allowed by those scopes run.
    pub roles: Vec<Box<str>>,
    /// The engine user under which they run, where the cluster works with pre-created users.
    pub backend_user: Option<Box<str>>,
    /// The tenant of OpenSearch Dashboards that they are for, where mappings choose it.
    pub tenant: Option<Box<str>>,
}

impl Condition {
    /// The condition that an operator means by this text: a scope in the scope grammar stands for itself, any other text is
    /// a glob. Were `read:logs-*` a glob, a token with `read:logs-1` would meet it and get what is meant for a wider one.
    pub fn of_scope(text: &str) -> Self {
        match text.parse() {
            Ok(scope) => Self::OwnScope(scope),
            Err(_) => Self::Scope(Glob::new(text)),
        }
    }

    /// Whether it holds for this token.
    pub fn is_met_by(&self, subject: &impl Subject) -> bool {
        self.holds(subject, &mut Vec::new())
    }

    /// Whether it holds; adds the scopes that it matched to `matched`.
    pub(crate) fn holds<'s, S: Subject>(&self, subject: &'s S, matched: &mut Vec<&'s str>) -> bool {
        match self {
            Self::Scope(glob) => {
                let before = matched.len();
                matched.extend(subject.scopes().filter(|scope| glob.matches(scope)));
                matched.len() > before
            }
            Self::OwnScope(own) => {
                let before = matched.len();
                let is_own = |text: &&str| text.parse::<Scope>().is_ok_and(|scope| scope == *own);
                matched.extend(subject.scopes().filter(is_own));
                matched.len() > before
            }
            Self::Group(glob) => subject.groups().any(|group| glob.matches(group)),
            Self::Claim { path, equals } => subject.claim(path).iter().any(|text| **text == **equals),
            Self::All(conditions) => {
                !conditions.is_empty() && conditions.iter().all(|condition| condition.holds(subject, matched))
            }
        }
    }

    /// The claims that it asks for.
    pub fn claims(&self) -> Vec<&ClaimPath> {
        match self {
            Self::Claim { path, .. } => vec![path],
            Self::All(conditions) => conditions.iter().flat_map(Self::claims).collect(),
            Self::Scope(_) | Self::OwnScope(_) | Self::Group(_) => Vec::new(),
        }
    }

    /// Whether it asks for groups.
    pub fn names_group(&self) -> bool {
        match self {
            Self::Group(_) => true,
            Self::All(conditions) => conditions.iter().any(Self::names_group),
            Self::Scope(_) | Self::OwnScope(_) | Self::Claim { .. } => false,
        }
    }

    pub(crate) fn names_scope(&self) -> bool {
        match self {
            Self::Scope(_) | Self::OwnScope(_) => true,
            Self::Group(_) | Self::Claim { .. } => false,
            Self::All(conditions) => conditions.iter().any(Self::names_scope),
        }
    }
}

/// For people, as in `group admins and claim department = search`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(glob) => write!(f, "scope {glob}"),
            Self::OwnScope(scope) => write!(f, "scope {scope}"),
            Self::Group(glob) => write!(f, "group {glob}"),
            Self::Claim { path, equals } => write!(f, "claim {path} = {equals}"),
            Self::All(conditions) => {
                for (at, condition) in conditions.iter().enumerate() {
                    write!(f, "{}{condition}", if at == 0 { "" } else { " and " })?;
                }
                Ok(())
            }
        }
    }
}
