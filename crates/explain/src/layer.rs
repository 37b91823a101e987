//! The layers that a request passes, in their order.

use crate::Explanation;

/// A layer that decides.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Layer {
    /// The request has one meaning, and it is served.
    Request,
    /// Somebody known asks.
    Token,
    /// Within the limits on how often.
    RateLimit,
    /// Scopes cover all that it needs.
    Scope,
    /// Policies permit it.
    Policy,
    /// There is an identity for it at the engine.
    Identity,
    /// The engine's own roles.
    Engine,
}

impl Layer {
    /// All, in the order in which a request passes them.
    pub const ALL: [Self; 7] = [
        Self::Request,
        Self::Token,
        Self::RateLimit,
        Self::Scope,
        Self::Policy,
        Self::Identity,
        Self::Engine,
    ];

    /// As it stands in records and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Token => "token",
            Self::RateLimit => "rate_limit",
            Self::Scope => "scope",
            Self::Policy => "policy",
            Self::Identity => "identity",
            Self::Engine => "engine",
        }
    }

    /// The layer of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.as_str() == name)
    }
}

impl Explanation {
    /// The layer that refused or failed; `None` also for one that is not known here.
    pub fn refused_by(&self) -> Option<Layer> {
        self.layer.as_deref().and_then(Layer::named)
    }
}
