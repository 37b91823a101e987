use std::sync::Arc;

use jiff::Timestamp;

use super::{Inner, Tokens, TokensError};
use crate::tokens::revoke::{is_live, revoked};
use crate::{Change, Consent, ConsentId, Decision, Kept, Party, Permission, Token};

/// How many consents of one person are kept that were not withdrawn.
const MAX_CONSENTS: usize = 200;

/// What came of withdrawing a consent.
#[derive(Clone, Debug)]
pub struct WithdrawnConsent {
    /// It, as it stands now.
    pub consent: Consent,
    /// The tokens that ended with it.
    pub revoked: Vec<Token>,
}

impl Tokens {
    /// The consent of this person by which all of this is allowed already.
    pub fn remembered(&self, person: &Party, wanted: &Permission) -> Option<Consent> {
        let covers = |consent: &Consent| {
            consent.withdrawn.is_none()
                && consent.person.is_same_subject(person)
                && consent.permission.includes(wanted)
        };
        self.0.consents(covers).into_iter().next()
    }

    /// Notes that a person allows this; what was allowed already is not noted again.
    ///
    /// # Errors
    /// [`TokensError::TooManyConsents`] if the person has given too many.
    pub async fn give_consent(
        &self,
        person: Party,
        permission: Permission,
        now: Timestamp,
    ) -> Result<Consent, TokensError> {
        self.write(move |inner| give(inner, person.clone(), permission.clone(), now)).await
    }

    /// All consents, those that were withdrawn not long ago too; oldest first.
    pub fn consents(&self) -> Vec<Consent> {
        self.0.consents(|_| true)
    }

    /// The consent with this id.
    pub fn consent(&self, id: &ConsentId) -> Option<Consent> {
        self.0.consent(id)
    }

    /// Withdraws a consent, and ends the tokens that were issued under it. One that was withdrawn already stays as it is.
    pub async fn withdraw_consent(
        &self,
        id: &ConsentId,
        decision: Decision,
    ) -> Result<WithdrawnConsent, TokensError> {
        let id = id.clone();
        self.write(move |inner| withdraw(inner, id.clone(), decision.clone())).await
    }
}

async fn give(
    inner: Arc<Inner>,
    person: Party,
    permission: Permission,
    now: Timestamp,
) -> Result<Consent, TokensError> {
    let tokens = Tokens(inner);
    if let Some(known) = tokens.remembered(&person, &permission) {
        return Ok(known);
    }
    let live = |consent: &Consent| consent.withdrawn.is_none() && consent.person.is_same_subject(&person);
    let given = tokens.0.consents(live).len();
    if given >= MAX_CONSENTS {
        return Err(TokensError::TooManyConsents(given));
    }
    let consent = Consent { id: ConsentId::generate()?, person, permission, given_at: now, withdrawn: None };
    tokens.0.keep(Kept::Consent(consent.clone()), None).await?;
    Ok(consent)
}

async fn withdraw(
    inner: Arc<Inner>,
    id: ConsentId,
    decision: Decision,
) -> Result<WithdrawnConsent, TokensError> {
    let found = inner.kept.get(id.as_str());
    let Some((Kept::Consent(consent), version)) = found.as_ref().map(|(kept, version)| (&**kept, *version))
    else {
        return Err(TokensError::NoConsent(id));
    };
    let mut consent = consent.clone();
    if consent.withdrawn.is_none() {
        consent.withdrawn = Some(decision.clone());
        inner.keep(Kept::Consent(consent.clone()), Some(version)).await?;
    }
    // From here on they are refused anyway; that they are ended is told to whoever lists them.
    let mut under = inner.index.all();
    under.retain(|token| {
        token.through.as_ref().is_some_and(|through| through.consent == id) && is_live(token, &decision)
    });
    let writes = under.iter().map(|token| super::Write::change_of(token, revoked(token, &decision)));
    let revoked = if under.is_empty() { Vec::new() } else { inner.put_all(writes.collect()).await? };
    Ok(WithdrawnConsent { consent, revoked })
}

impl Inner {
    /// Those that are wanted, oldest first.
    fn consents(&self, wanted: impl Fn(&Consent) -> bool) -> Vec<Consent> {
        let all = self.kept.all().into_iter();
        let wanted = all.filter_map(|(kept, _)| match &*kept {
            Kept::Consent(consent) if wanted(consent) => Some(consent.clone()),
            Kept::Consent(_) | Kept::Authorization(_) | Kept::Policies(_) => None,
        });
        let mut consents: Vec<Consent> = wanted.collect();
        consents.sort_unstable_by(|one, two| (one.given_at, &one.id).cmp(&(two.given_at, &two.id)));
        consents
    }

    pub(super) fn consent(&self, id: &ConsentId) -> Option<Consent> {
        match &*self.kept.get(id.as_str())?.0 {
            Kept::Consent(consent) => Some(consent.clone()),
            Kept::Authorization(_) | Kept::Policies(_) => None,
        }
    }

    /// Stores something beside tokens, and shows it to readers.
    pub(super) async fn keep(&self, kept: Kept, replaces: Option<crate::Version>) -> Result<(), TokensError> {
        let change = Change::Keep { kept: Box::new(kept.clone()), expected: replaces };
        let versions = self.store.commit(vec![change]).await?;
        let version = versions.first().copied().ok_or(crate::StoreError::Versions)?;
        self.kept.put(kept, version);
        Ok(())
    }
}
