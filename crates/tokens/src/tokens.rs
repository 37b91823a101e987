mod approve;
mod authorization;
mod consent;
mod follow;
mod issue;
mod maintain;
mod policy;
mod provider;
mod revoke;
mod rotate;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::Mutex;

pub use authorization::{NotAuthorized, Verdict};
pub use consent::WithdrawnConsent;
pub use follow::FOLLOW_EVERY;
pub use issue::{Grounds, Issued};
pub use maintain::Maintained;
pub use provider::RevocationOrder;
pub use revoke::{BulkRevoked, RevokedToken};
pub use rotate::{Rotated, Rotation};

use crate::index::Index;
use crate::kept::KeptIndex;
use crate::revocation::{Credential, Revocations};
use crate::{
    Change, ConsentId, Cursor, DetailsError, Filter, Finding, NoRandomness, Page, Record, ReviewRules,
    Secret, Sort, Status, Store, StoreError, Token, TokenId, Version,
};

/// How often a change is tried that another process comes before.
const ATTEMPTS: usize = 4;

/// All managed tokens, and the revocations of provider tokens.
///
/// Reading never waits: everything is in memory. Writing returns once the store has made it durable, and holds for reading from
/// then on. A write that was begun is carried to its end, even if whoever waits for it goes away. Cheap to clone.
///
/// Who may do what is for the caller to judge, but for two rules that are kept here: nothing is issued without [`crate::Terms`],
/// and nobody approves what they asked for.
#[derive(Clone, Debug)]
pub struct Tokens(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    settings: Settings,
    index: Index,
    revocations: ArcSwap<Revocations>,
    kept: KeptIndex,
    /// Held from looking at what is there until the change to it can be read.
    writing: Mutex<()>,
}

/// Bounds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How long a token is listed after it ended.
    pub retention: Duration,
    /// How long a token can wait for approval.
    pub approval_within: Duration,
    /// How many tokens there can be, those that ended and are still listed included.
    pub max_tokens: usize,
    /// How many one subject can have that have not ended.
    pub max_per_owner: usize,
}

impl Default for Settings {
    /// 30 days, 7 days, 200,000 tokens, 1,000 for each owner.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { retention: DAY * 30, approval_within: DAY * 7, max_tokens: 200_000, max_per_owner: 1000 }
    }
}

/// A change was not made. Nothing is different from before, unless the store's error says otherwise.
#[derive(Debug, Error)]
pub enum TokensError {
    /// No such token; it may have ended long ago.
    #[error("there is no token {0}")]
    NotFound(TokenId),
    /// It is not in a state for this.
    #[error("the token {id} is {status}: {needed}")]
    Status {
        /// Which.
        id: TokenId,
        /// How it stands.
        status: Status,
        /// How it would have to stand.
        needed: &'static str,
    },
    /// Another token took over already.
    #[error("the token {id} was rotated already: rotate {successor} instead")]
    AlreadyRotated {
        /// Which.
        id: TokenId,
        /// What took over.
        successor: TokenId,
    },
    /// One's own request.
    #[error(
        "the token {0} must be approved or denied by somebody else than who asked for it or is to have it"
    )]
    OwnRequest(TokenId),
    /// No such consent; it may have been withdrawn long ago.
    #[error("there is no consent {0}")]
    NoConsent(ConsentId),
    /// Too many of one person.
    #[error("the person has given {0} consents, and no more can be kept: withdraw some")]
    TooManyConsents(usize),
    /// Too many at once.
    #[error("too many authorizations are under way: try again later")]
    TooManyAuthorizations,
    /// Somebody else wrote them meanwhile.
    #[error("the policies of {set} are at version {current} now: look at them again")]
    PoliciesChanged {
        /// The set.
        set: Box<str>,
        /// Its version that counts; 0: there is none.
        current: u32,
    },
    /// Policies in so many bytes.
    #[error("the policies have {0} bytes, and a set can have {max}: write several sets", max = crate::PolicyVersion::MAX_TEXT)]
    PoliciesTooLong(usize),
    /// No token comes of an authorization.
    #[error(transparent)]
    NotAuthorized(#[from] NotAuthorized),
    /// Too many in all.
    #[error("there are {0} tokens, and no more can be kept: revoke some, and wait until they are forgotten")]
    Full(usize),
    /// Too many of one owner.
    #[error("the owner has {0} tokens that have not ended, and can have no more: revoke some")]
    OwnerFull(usize),
    /// A text is too long, or cannot be shown.
    #[error(transparent)]
    Text(#[from] DetailsError),
    /// The end would lie beyond all time.
    #[error("the lifetime is too long to be reckoned with")]
    Lifetime,
    /// No secret can be made.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A token is not accepted.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{reason}")]
pub struct Refusal {
    /// Why.
    pub reason: RefusalReason,
    /// The token, if there is one.
    pub token_id: Option<TokenId>,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
pub enum RefusalReason {
    /// There is none with this secret, or not any more.
    #[error("the token is not known")]
    Unknown,
    /// It waits for approval.
    #[error("the token waits for approval")]
    Pending,
    /// It was not approved.
    #[error("the token was not approved")]
    Denied,
    /// It was ended, or the provider token that it was made from.
    #[error("the token was revoked")]
    Revoked,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Whether it was revoked cannot be told at the moment.
    #[error("no managed token is accepted while revocations cannot be learnt from the store")]
    Stale,
}

impl Tokens {
    /// Reads everything that the store has.
    pub async fn open(store: Arc<dyn Store>, settings: Settings) -> Result<Self, StoreError> {
        let contents = store.load().await?;
        let mut last_used: std::collections::HashMap<_, _> = contents.last_used.into_iter().collect();
        let index = Index::new();
        for (record, version) in contents.records {
            let used = last_used.remove(&record.id);
            index.put(Token::new(record, version, used));
        }
        let revocations = Revocations::new(contents.revocations.into_iter().map(Arc::new));
        let revocations = ArcSwap::from_pointee(revocations);
        let kept = KeptIndex::default();
        contents.kept.into_iter().for_each(|(entry, version)| kept.put(entry, version));
        Ok(Self(Arc::new(Inner { store, settings, index, revocations, kept, writing: Mutex::new(()) })))
    }

    /// The token with this secret, however it stands.
    pub fn find_by_secret(&self, secret: &Secret) -> Option<Token> {
        self.0.index.find(&secret.digest())
    }

    /// The token with this secret, if it can be used now.
    pub fn admit(&self, secret: &Secret, now: Timestamp) -> Result<Token, Refusal> {
        let refused = |reason, token_id| Refusal { reason, token_id };
        if !self.0.store.is_current() {
            return Err(refused(RefusalReason::Stale, None));
        }
        let token = self.find_by_secret(secret).ok_or(refused(RefusalReason::Unknown, None))?;
        let reason = match token.status(now) {
            Status::Active if self.0.is_cut_off(&token) => RefusalReason::Revoked,
            Status::Active => return Ok(token),
            Status::Pending => RefusalReason::Pending,
            Status::Denied => RefusalReason::Denied,
            Status::Revoked => RefusalReason::Revoked,
            Status::Expired => RefusalReason::Expired,
        };
        Err(refused(reason, Some(token.id.clone())))
    }

    /// Whether a token that was admitted, and kept since, still is: for streams that last, and for caches.
    pub fn is_still_admitted(&self, id: &TokenId, now: Timestamp) -> bool {
        self.0.store.is_current()
            && self
                .get(id)
                .is_some_and(|token| token.status(now) == Status::Active && !self.0.is_cut_off(&token))
    }

    /// The token with this id.
    pub fn get(&self, id: &TokenId) -> Option<Token> {
        self.0.index.get(id)
    }

    /// A page of the tokens that the filter means, at most `limit`. Looks at all tokens: a matter of milliseconds for each ten
    /// thousand, so not for the hot path.
    pub fn list(
        &self,
        filter: &Filter,
        sort: Sort,
        limit: usize,
        after: Option<&Cursor>,
        now: Timestamp,
    ) -> Page {
        Page::of(self.0.matching(filter, now), sort, limit, after)
    }

    /// The tokens that the filter means and that somebody should look at again, oldest first.
    pub fn review(&self, rules: &ReviewRules, filter: &Filter, now: Timestamp) -> Vec<Finding> {
        let mut tokens = self.0.matching(filter, now);
        tokens.sort_unstable_by(|one, two| (one.created_at, &one.id).cmp(&(two.created_at, &two.id)));
        let findings = tokens.into_iter().map(|token| Finding { reasons: rules.reasons(&token, now), token });
        findings.filter(|finding| !finding.reasons.is_empty()).collect()
    }

    /// Runs a change by itself: no other is made meanwhile here, and it goes on if the caller does not wait for its end. If another
    /// process was faster, looks at what is there now and tries again.
    async fn write<T, W, F>(&self, work: W) -> Result<T, TokensError>
    where
        T: Send + 'static,
        W: Fn(Arc<Inner>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, TokensError>> + Send,
    {
        let inner = self.0.clone();
        let task = tokio::spawn(async move {
            let _alone = inner.writing.lock().await;
            for _ in 1..ATTEMPTS {
                match work(inner.clone()).await {
                    Err(TokensError::Store(StoreError::Conflict(id))) => inner.look_again(&id).await?,
                    Err(TokensError::Store(StoreError::Overtaken(key))) => inner.look_again_at(&key).await?,
                    result => return result,
                }
            }
            work(inner.clone()).await
        });
        task.await.unwrap_or_else(|error| Err(StoreError::Storage(error.into()).into()))
    }
}

impl Inner {
    fn existing(&self, id: &TokenId) -> Result<Token, TokensError> {
        self.index.get(id).ok_or_else(|| TokensError::NotFound(id.clone()))
    }

    fn matching(&self, filter: &Filter, now: Timestamp) -> Vec<Token> {
        let mut tokens = self.index.all();
        tokens.retain(|token| filter.matches(token, now));
        tokens
    }

    /// Stores records, all or none of them, and shows them to readers.
    async fn put_all(&self, writes: Vec<Write>) -> Result<Vec<Token>, TokensError> {
        let changes: Vec<Change> = writes.iter().map(Write::change).collect();
        let versions = self.store.commit(changes).await?;
        let tokens: Vec<Token> =
            writes.into_iter().zip(versions).map(|(write, version)| write.done(version)).collect();
        tokens.iter().cloned().for_each(|token| self.index.put(token));
        Ok(tokens)
    }

    async fn put<const N: usize>(&self, writes: [Write; N]) -> Result<[Token; N], TokensError> {
        let tokens = self.put_all(writes.into()).await?;
        tokens.try_into().map_err(|_| StoreError::Versions.into())
    }

    /// Whether the provider token that it was made from is revoked, or the consent that it was issued under is withdrawn.
    fn is_cut_off(&self, token: &Record) -> bool {
        let consent = token.through.as_ref().map(|through| self.consent(&through.consent));
        if consent.is_some_and(|consent| consent.is_none_or(|consent| consent.withdrawn.is_some())) {
            return true;
        }
        let revocations = self.revocations.load();
        [&token.created_by, &token.owner]
            .into_iter()
            .any(|party| revocations.of(&Credential::of(party, &token.presented)).is_some())
    }
}

/// A record to be stored, in place of the one that a token has, if it is not new.
#[derive(Debug)]
struct Write {
    record: Record,
    replaces: Option<Token>,
}

impl Write {
    fn new(record: Record) -> Self {
        Self { record, replaces: None }
    }

    fn change_of(token: &Token, record: Record) -> Self {
        Self { record, replaces: Some(token.clone()) }
    }

    fn change(&self) -> Change {
        let expected = self.replaces.as_ref().map(Token::version);
        Change::Put { record: Box::new(self.record.clone()), expected }
    }

    fn done(self, version: Version) -> Token {
        match self.replaces {
            Some(token) => token.changed(self.record, version),
            None => Token::new(self.record, version, None),
        }
    }
}

/// `from` and so much time after it.
fn after(from: Timestamp, duration: Duration) -> Result<Timestamp, TokensError> {
    from.checked_add(duration).map_err(|_| TokensError::Lifetime)
}
