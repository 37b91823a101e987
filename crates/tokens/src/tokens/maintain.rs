use std::sync::Arc;

use jiff::Timestamp;

use super::{Inner, Tokens, TokensError, after};
use crate::{Change, Kept, LastUsed, Revocation, Token, Version};

/// How many parts of its upkeep a store does at once: enough to be done with very many entries within an hour, and few enough not to
/// keep changes waiting for long.
const UPKEEP: usize = 10;

/// What maintenance did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Maintained {
    /// Last uses that are with the store now.
    pub last_uses: usize,
    /// Tokens that ended long ago and are forgotten.
    pub tokens: usize,
    /// Revocations that are not needed any more.
    pub revocations: usize,
    /// Consents and authorizations that nothing can come of any more.
    pub kept: usize,
    /// Entries that were encrypted with an older key and no longer are.
    pub encrypted_anew: usize,
}

impl Tokens {
    /// Stores last uses, and forgets what ended long ago. To be called each minute or so, and once before the process ends:
    /// uses since the last time are lost with it, and nothing else is.
    pub async fn maintain(&self, now: Timestamp) -> Result<Maintained, TokensError> {
        self.write(move |inner| maintain(inner, now)).await
    }
}

async fn maintain(inner: Arc<Inner>, now: Timestamp) -> Result<Maintained, TokensError> {
    let retention = inner.settings.retention;
    let is_over = |token: &Token| {
        token
            .ended_at(now)
            .is_some_and(|ended| after(ended, retention).is_ok_and(|forgotten| forgotten <= now))
    };
    let (over, kept): (Vec<Token>, Vec<Token>) = inner.index.all().into_iter().partition(is_over);
    let uses: Vec<_> =
        kept.into_iter().filter_map(|token| Some((token.take_unsaved_use()?, token))).collect();
    let all = inner.revocations.load_full();
    let done: Vec<_> = all.all().filter(|revocation| !revocation.is_kept(now)).cloned().collect();
    let mut ended = inner.kept.all();
    ended.retain(|(kept, _)| kept.is_over(now, retention));
    let mut maintained = Maintained {
        last_uses: uses.len(),
        tokens: over.len(),
        revocations: done.len(),
        kept: ended.len(),
        encrypted_anew: 0,
    };
    if maintained != Maintained::default() {
        store(&inner, &uses, &over, &done, &ended).await?;
    }
    for _ in 0..UPKEEP {
        match inner.store.upkeep().await? {
            0 => break,
            more => maintained.encrypted_anew += more,
        }
    }
    Ok(maintained)
}

async fn store(
    inner: &Inner,
    uses: &[(LastUsed, Token)],
    over: &[Token],
    done: &[Arc<Revocation>],
    ended: &[(Arc<Kept>, Version)],
) -> Result<(), TokensError> {
    let mut changes: Vec<Change> =
        uses.iter().map(|(used, token)| Change::Used(token.id.clone(), *used)).collect();
    changes
        .extend(over.iter().map(|token| Change::Remove { id: token.id.clone(), expected: token.version() }));
    changes.extend(done.iter().map(|revocation| Change::Forget(revocation.id.clone())));
    let dropped =
        ended.iter().map(|(kept, version)| Change::Drop { key: kept.key().into(), expected: *version });
    changes.extend(dropped);
    if let Err(error) = inner.store.commit(changes).await {
        for (_, token) in uses {
            token.mark_use_unsaved();
        }
        return Err(error.into());
    }
    for token in over {
        inner.index.remove(&token.id);
    }
    for (kept, _) in ended {
        inner.kept.remove(kept.key());
    }
    if !done.is_empty() {
        inner.change_revocations(|all| all.retain(|known| done.iter().all(|gone| gone.id != known.id)));
    }
    Ok(())
}
