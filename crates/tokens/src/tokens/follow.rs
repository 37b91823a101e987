use std::sync::Arc;
use std::time::Duration;

use super::{Inner, Tokens, TokensError};
use crate::revocation::Revocations;
use crate::{News, Revocation, StoreError, Token, TokenId};

/// How often [`Tokens::follow`] should be called, so that what another process revoked is refused here within two seconds.
pub const FOLLOW_EVERY: Duration = Duration::from_millis(500);

impl Tokens {
    /// Learns what other processes changed in the store. Costs nothing where none can. How many changes it was told of.
    ///
    /// An error is no reason to stop calling: once the store has been out of reach for too long, no token is admitted until it
    /// can be read again.
    pub async fn follow(&self) -> Result<usize, StoreError> {
        self.0.learn_news().await
    }
}

impl Inner {
    async fn learn_news(&self) -> Result<usize, StoreError> {
        let news = self.store.news().await?;
        let count = news.len();
        for news in news {
            self.learn(news);
        }
        // Only now: what was told must hold before anything is admitted on the strength of its having been asked.
        self.store.learnt();
        Ok(count)
    }

    fn learn(&self, news: News) {
        match news {
            News::Record(record, version) => self.index.put(Token::new(*record, version, None)),
            News::Revoked(revocation) => {
                let revocation = Arc::new(*revocation);
                self.change_revocations(|all| {
                    all.retain(|known| known.id != revocation.id);
                    all.push(revocation.clone());
                });
            }
            News::Withdrawn(id) => {
                if self.revocations.load().get(&id).is_some() {
                    self.change_revocations(|all| all.retain(|known| known.id != id));
                }
            }
            News::Kept(kept, version) => self.kept.put(*kept, version),
            News::Used(id, used) => {
                if let Some(token) = self.index.get(&id) {
                    token.learn_use(used);
                }
            }
        }
    }

    /// After another process was faster.
    pub(super) async fn look_again(&self, id: &TokenId) -> Result<(), TokensError> {
        self.learn_news().await?;
        match self.store.reread(id).await? {
            Some((record, version)) => self.index.put(Token::new(record, version, None)),
            None => self.index.remove(id),
        }
        Ok(())
    }

    /// The same for what is kept beside tokens.
    pub(super) async fn look_again_at(&self, key: &str) -> Result<(), TokensError> {
        if let Some((kept, version)) = self.store.reread_kept(key).await? {
            self.kept.put(kept, version);
        }
        Ok(())
    }

    /// Changes the set of revocations, whoever else changes it at the same time.
    pub(super) fn change_revocations(&self, change: impl Fn(&mut Vec<Arc<Revocation>>)) {
        self.revocations.rcu(|known| {
            let mut all: Vec<_> = known.all().cloned().collect();
            change(&mut all);
            Revocations::new(all)
        });
    }
}
