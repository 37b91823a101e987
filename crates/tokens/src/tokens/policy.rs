use std::sync::Arc;

use tokio::sync::watch;

use super::{Inner, Tokens, TokensError};
use crate::{Change, Kept, PolicyDraft, PolicyVersion, StoreError, Version};

impl Tokens {
    /// The versions of a set that are kept, newest first.
    pub fn policy_versions(&self, set: &str) -> Vec<PolicyVersion> {
        self.0.policy_versions(set).into_iter().map(|(version, _)| version).collect()
    }

    /// The version of a set that counts; `None` if nothing was ever written.
    pub fn current_policies(&self, set: &str) -> Option<PolicyVersion> {
        self.policy_versions(set).into_iter().next()
    }

    /// Writes the next version of a set, if `replaces` is the one that counts; 0: there is none. Forgets the oldest ones if there are
    /// [too many](PolicyVersion::MAX_KEPT). Whether the text is one of policies is for the caller to say.
    ///
    /// # Errors
    /// [`TokensError::PoliciesChanged`] if somebody else was faster, [`TokensError::PoliciesTooLong`].
    pub async fn write_policies(
        &self,
        draft: PolicyDraft,
        replaces: u32,
    ) -> Result<PolicyVersion, TokensError> {
        self.write(move |inner| write(inner, draft.clone(), replaces)).await
    }

    /// Tells when a version of any set was written, here or elsewhere.
    pub fn watch_policies(&self) -> watch::Receiver<()> {
        self.0.kept.watch_policies()
    }
}

async fn write(inner: Arc<Inner>, draft: PolicyDraft, replaces: u32) -> Result<PolicyVersion, TokensError> {
    if draft.text.len() > PolicyVersion::MAX_TEXT {
        return Err(TokensError::PoliciesTooLong(draft.text.len()));
    }
    let known = inner.policy_versions(&draft.set);
    let current = known.first().map_or(0, |(newest, _)| newest.version);
    if current != replaces {
        return Err(TokensError::PoliciesChanged { set: draft.set, current });
    }
    let next = PolicyVersion::new(draft, current.saturating_add(1));
    let kept = Kept::Policies(next.clone());
    let over = over(&next, &known);
    let mut changes = vec![Change::Keep { kept: Box::new(kept.clone()), expected: None }];
    changes
        .extend(over.iter().map(|(old, version)| Change::Drop { key: old.key().into(), expected: *version }));
    let versions = inner.store.commit(changes).await?;
    let version = versions.first().copied().ok_or(StoreError::Versions)?;
    for (old, _) in over {
        inner.kept.remove(old.key());
    }
    inner.kept.put(kept, version);
    Ok(next)
}

/// Those of the known ones, newest first, for which there is no room beside a new one.
fn over<'k>(new: &PolicyVersion, known: &'k [(PolicyVersion, Version)]) -> &'k [(PolicyVersion, Version)] {
    let mut room = PolicyVersion::MAX_KEPT_TEXT.saturating_sub(new.text.len());
    let fitting = known.iter().take(PolicyVersion::MAX_KEPT - 1).take_while(|(old, _)| {
        let rest = room.checked_sub(old.text.len());
        room = rest.unwrap_or_default();
        rest.is_some()
    });
    let fitting = fitting.count();
    known.get(fitting..).unwrap_or_default()
}

impl Inner {
    fn policy_versions(&self, set: &str) -> Vec<(PolicyVersion, Version)> {
        let all = self.kept.all().into_iter();
        let of_set = all.filter_map(|(kept, version)| match &*kept {
            Kept::Policies(policies) if *policies.set == *set => Some((policies.clone(), version)),
            _ => None,
        });
        let mut versions: Vec<_> = of_set.collect();
        versions.sort_unstable_by_key(|(policies, _)| std::cmp::Reverse(policies.version));
        // What another process forgot is not told.
        versions.truncate(PolicyVersion::MAX_KEPT);
        versions
    }
}
