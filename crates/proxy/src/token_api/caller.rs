//! Who asks the token service, and over which tokens they have a say.

use std::sync::Arc;

use oidc::Identity;
use tokens::{Decision, Filter, Party, Token, TokenId};

use super::answer::Fault;
use crate::principal::Principal;

/// The scope that lets one see all tokens.
pub(crate) const MONITOR: &str = "monitor:tokens";
/// The scope that lets one see, end and approve all tokens.
pub(crate) const ADMIN: &str = "admin:tokens";

/// A caller whose bearer token was accepted.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) principal: Arc<Principal>,
    pub(crate) party: Party,
    reach: Reach,
}

/// Over which tokens a caller has a say.
#[derive(Clone, Debug, PartialEq)]
enum Reach {
    /// The one that was presented. A narrow token that leaked must not open the wide ones of the same owner.
    Itself(TokenId),
    /// One's own, and those that one had made.
    Own,
    /// Sees all, has a say over those of the other.
    SeesAll(Box<Reach>),
    /// All.
    All,
}

impl Caller {
    pub(crate) fn new(principal: Arc<Principal>) -> Self {
        let own = principal.managed().map_or(Reach::Own, |token| Reach::Itself(token.id.clone()));
        let reach = if principal.holds(ADMIN) {
            Reach::All
        } else if principal.holds(MONITOR) {
            Reach::SeesAll(Box::new(own))
        } else {
            own
        };
        let party = party(principal.identity());
        Self { principal, party, reach }
    }

    /// Whether it has a say over a token.
    pub(crate) fn commands(&self, token: &Token) -> bool {
        self.within(&self.reach, token)
    }

    fn within(&self, reach: &Reach, token: &Token) -> bool {
        match reach {
            Reach::Itself(id) => token.id == *id,
            Reach::Own => token.is_of(&self.party),
            Reach::SeesAll(rest) => self.within(rest, token),
            Reach::All => true,
        }
    }

    /// Whether it may see a token.
    pub(crate) fn sees(&self, token: &Token) -> bool {
        matches!(self.reach, Reach::All | Reach::SeesAll(_)) || self.commands(token)
    }

    /// Whether it may see all tokens, and the revocations of provider tokens.
    pub(crate) fn sees_all(&self) -> bool {
        matches!(self.reach, Reach::All | Reach::SeesAll(_))
    }

    /// Refuses who may not see all tokens.
    pub(crate) fn must_see_all(&self) -> Result<(), Fault> {
        if self.sees_all() { Ok(()) } else { Err(Fault::needs(MONITOR)) }
    }

    /// Refuses who has no say over all tokens.
    pub(crate) fn must_command_all(&self) -> Result<(), Fault> {
        if self.reach == Reach::All { Ok(()) } else { Err(Fault::needs(ADMIN)) }
    }

    /// A token that this caller has a say over.
    pub(crate) fn commanded(&self, found: Option<Token>) -> Result<Token, Fault> {
        match found {
            Some(token) if self.commands(&token) => Ok(token),
            Some(token) if self.sees(&token) => Err(Fault::needs(ADMIN)),
            _ => Err(Fault::unknown("token")),
        }
    }

    /// A filter as far as this caller sees.
    pub(crate) fn seen(&self, filter: Filter) -> Result<Filter, Fault> {
        if self.sees_all() { Ok(filter) } else { self.own(filter) }
    }

    /// A filter as far as this caller has a say.
    pub(crate) fn ruled(&self, filter: Filter) -> Result<Filter, Fault> {
        if self.reach == Reach::All { Ok(filter) } else { self.own(filter) }
    }

    fn own(&self, filter: Filter) -> Result<Filter, Fault> {
        self.must_be_of_provider()?;
        Ok(Filter { of: Some(self.party.clone()), ..filter })
    }

    /// Refuses a managed token, which speaks for itself alone.
    pub(crate) fn must_be_of_provider(&self) -> Result<(), Fault> {
        if self.principal.managed().is_some() { Err(Fault::needs(MONITOR)) } else { Ok(()) }
    }

    /// A decision of this caller, now.
    pub(crate) fn decides(&self, reason: Option<&str>) -> Result<Decision, Fault> {
        decision(self.party.clone(), reason)
    }
}

/// A decision of somebody, now.
pub(crate) fn decision(by: Party, reason: Option<&str>) -> Result<Decision, Fault> {
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    if reason.is_some_and(|reason| reason.len() > 1024 || reason.contains(char::is_control)) {
        let why = "reason must be one line of at most 1024 bytes";
        return Err(Fault::new(oauth::ErrorCode::InvalidRequest, why));
    }
    Ok(Decision { at: jiff::Timestamp::now(), by, reason: reason.map(Into::into) })
}

/// A verified caller as records name it.
pub(crate) fn party(identity: &Identity) -> Party {
    let text = |value: &Option<Arc<str>>| value.as_deref().map(Into::into);
    Party {
        provider: (*identity.provider).into(),
        issuer: (*identity.issuer).into(),
        subject: (*identity.subject).into(),
        client_id: text(&identity.client_id),
        user: text(&identity.user_id),
    }
}
