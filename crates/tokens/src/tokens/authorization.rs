use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;

use super::{Inner, Issued, Tokens, TokensError, after};
use crate::{
    Allowed, Authorization, AuthorizationId, AuthorizationState, Change, GrantCode, Grounds, Kept, Party,
    StoreError, Terms, Token, TokenId, UserCode, Version, Way,
};

/// How many devices can wait for a person. Strangers can begin that at will, and each code that waits can be guessed.
const MAX_WAITING: usize = 1000;
/// How many authorizations are kept, most of them to know their codes again.
const MAX_AUTHORIZATIONS: usize = 100_000;

/// Why no token comes of an authorization.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum NotAuthorized {
    /// There is none.
    #[error("there is no such authorization, or not any more")]
    Unknown,
    /// Its time is over.
    #[error("its time is over")]
    Expired,
    /// Nobody has decided.
    #[error("nobody has decided yet")]
    Waiting,
    /// The person said no, or has taken the yes back.
    #[error("the person did not agree")]
    Denied,
    /// The token was fetched already.
    #[error("it was used already")]
    Redeemed(TokenId),
}

/// What a person decided.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The client may have it.
    Allow(Box<Allowed>),
    /// It may not.
    Deny(Party),
}

impl Tokens {
    /// Begins an authorization that is good for so long from now; with `state`, one that has come further already.
    ///
    /// # Errors
    /// [`TokensError::TooManyAuthorizations`] if too many are under way.
    pub async fn begin_authorization(
        &self,
        code: &GrantCode,
        client_id: Box<str>,
        way: Way,
        state: AuthorizationState,
        (now, lifetime): (Timestamp, Duration),
    ) -> Result<(), TokensError> {
        let expires_at = after(now, lifetime)?;
        let digest = code.digest();
        let id = AuthorizationId::of(&digest);
        let authorization = Authorization { id, digest, client_id, way, expires_at, state };
        self.write(move |inner| begin(inner, authorization.clone(), now)).await
    }

    /// The authorization of this code, which another process may just have begun, or a person allowed there.
    pub async fn authorization(&self, code: &GrantCode) -> Result<Authorization, TokensError> {
        let digest = code.digest();
        let id = AuthorizationId::of(&digest);
        if self.0.kept.get(id.as_str()).is_none() {
            self.0.look_again_at(id.as_str()).await?;
        }
        let (authorization, _) = self.0.authorization(&id)?;
        if let AuthorizationState::Allowed(allowed) = &authorization.state
            && self.0.consent(&allowed.consent).is_none()
        {
            self.0.look_again_at(allowed.consent.as_str()).await?;
        }
        if authorization.digest == digest { Ok(authorization) } else { Err(NotAuthorized::Unknown.into()) }
    }

    /// The authorization that waits for somebody to enter this code.
    pub fn waiting_for(&self, user_code: &UserCode, now: Timestamp) -> Option<Authorization> {
        self.0.kept.all().into_iter().find_map(|(kept, _)| match &*kept {
            Kept::Authorization(authorization)
                if authorization.state == AuthorizationState::Waiting
                    && authorization.expires_at > now
                    && matches!(&authorization.way, Way::Device { user_code: own, .. } if own == user_code) =>
            {
                Some(authorization.clone())
            }
            _ => None,
        })
    }

    /// Decides what waits for a decision.
    ///
    /// # Errors
    /// [`NotAuthorized`] if it does not wait any more.
    pub async fn decide_authorization(
        &self,
        id: &AuthorizationId,
        verdict: Verdict,
        now: Timestamp,
    ) -> Result<(), TokensError> {
        let id = id.clone();
        self.write(move |inner| decide(inner, id.clone(), verdict.clone(), now)).await
    }

    /// Issues the token of an authorization: once, whichever process is asked.
    ///
    /// # Errors
    /// [`NotAuthorized`] if it cannot be fetched, or was fetched before.
    pub async fn redeem(
        &self,
        id: &AuthorizationId,
        terms: Terms,
        grounds: Grounds,
        now: Timestamp,
    ) -> Result<Issued, TokensError> {
        let id = id.clone();
        self.write(move |inner| redeem(inner, id.clone(), terms.clone(), grounds.clone(), now)).await
    }
}

async fn begin(inner: Arc<Inner>, authorization: Authorization, now: Timestamp) -> Result<(), TokensError> {
    let (mut waiting, mut all) = (0, 0);
    for (kept, _) in inner.kept.all() {
        if let Kept::Authorization(known) = &*kept {
            all += 1;
            waiting += usize::from(known.state == AuthorizationState::Waiting && known.expires_at > now);
        }
    }
    let is_waiting = authorization.state == AuthorizationState::Waiting;
    if all >= MAX_AUTHORIZATIONS || (is_waiting && waiting >= MAX_WAITING) {
        return Err(TokensError::TooManyAuthorizations);
    }
    inner.keep(Kept::Authorization(authorization), None).await
}

async fn decide(
    inner: Arc<Inner>,
    id: AuthorizationId,
    verdict: Verdict,
    now: Timestamp,
) -> Result<(), TokensError> {
    let (mut authorization, version) = inner.authorization(&id)?;
    authorization.state = match (&authorization.state, verdict) {
        _ if authorization.expires_at <= now => return Err(NotAuthorized::Expired.into()),
        (AuthorizationState::Waiting, Verdict::Allow(allowed)) => AuthorizationState::Allowed(allowed),
        (AuthorizationState::Waiting, Verdict::Deny(by)) => AuthorizationState::Denied { by },
        (AuthorizationState::Allowed(_) | AuthorizationState::Denied { .. }, _) => {
            return Err(NotAuthorized::Unknown.into());
        }
        (AuthorizationState::Redeemed { token }, _) => {
            return Err(NotAuthorized::Redeemed(token.clone()).into());
        }
    };
    inner.keep(Kept::Authorization(authorization), Some(version)).await
}

async fn redeem(
    inner: Arc<Inner>,
    id: AuthorizationId,
    terms: Terms,
    grounds: Grounds,
    now: Timestamp,
) -> Result<Issued, TokensError> {
    let (authorization, version) = inner.authorization(&id)?;
    let allowed = authorization.allowed(now)?;
    let withdrawn = |consent: crate::Consent| consent.withdrawn.is_some();
    if inner.consent(&allowed.consent).is_none_or(withdrawn) {
        return Err(NotAuthorized::Denied.into());
    }
    let (record, secret) = inner.new_record(terms, grounds, now)?;
    let done = Kept::Authorization(Authorization {
        state: AuthorizationState::Redeemed { token: record.id.clone() },
        ..authorization
    });
    // The authorization first: whoever comes second finds it changed, and the token is taken back.
    let changes = vec![
        Change::Keep { kept: Box::new(done.clone()), expected: Some(version) },
        Change::Put { record: Box::new(record.clone()), expected: None },
    ];
    let versions = inner.store.commit(changes).await?;
    let [kept, version] = <[Version; 2]>::try_from(versions).map_err(|_| StoreError::Versions)?;
    inner.kept.put(done, kept);
    let token = Token::new(record, version, None);
    inner.index.put(token.clone());
    Ok(Issued { token, secret })
}

impl Authorization {
    /// What was allowed and can be fetched now.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn allowed(&self, now: Timestamp) -> Result<&Allowed, NotAuthorized> {
        match &self.state {
            AuthorizationState::Redeemed { token } => Err(NotAuthorized::Redeemed(token.clone())),
            AuthorizationState::Denied { .. } => Err(NotAuthorized::Denied),
            _ if self.expires_at <= now => Err(NotAuthorized::Expired),
            AuthorizationState::Waiting => Err(NotAuthorized::Waiting),
            AuthorizationState::Allowed(allowed) => Ok(allowed),
        }
    }
}

impl Inner {
    fn authorization(&self, id: &AuthorizationId) -> Result<(Authorization, Version), NotAuthorized> {
        match self.kept.get(id.as_str()) {
            Some((kept, version)) => match &*kept {
                Kept::Authorization(authorization) => Ok((authorization.clone(), version)),
                Kept::Consent(_) | Kept::Policies(_) => Err(NotAuthorized::Unknown),
            },
            None => Err(NotAuthorized::Unknown),
        }
    }
}
