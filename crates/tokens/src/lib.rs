//! Managed tokens: secrets, records, issuance policy, revocation, and the store that keeps them.
//!
//! A managed token is opaque: a [`Secret`] of which only the SHA-256 is kept, in a [`Record`] with the claims of the provider
//! token that was presented for it and the scopes that were granted. What it may do is worked out at each use, from those claims as
//! mappings read them now, [restricted](access::Rights::restrict) to the granted scopes.
//!
//! * [`Policies::judge`] says on what [`Terms`] something may be issued. Pure.
//! * [`Tokens`] issues, finds, lists, rotates, approves and revokes. It holds everything in memory, so that looking a token up
//!   costs no I/O, and writes each change through to a [`Store`] before it acknowledges it.
//! * A [`Consent`] is what a person allowed a client, and an [`Authorization`] how the client gets a token by it. Both are kept as
//!   tokens are, and so is each [`PolicyVersion`] of a set of Cedar policies.
//! * [`EmbeddedStore`] is a file for one proxy, [`OpenSearchStore`] an index that several share.
//!
//! Times are given by the caller, so that one request is judged by one clock.

mod authorization;
mod base62;
mod consent;
mod details;
mod filter;
mod id;
mod index;
mod kept;
mod party;
mod policy;
mod policy_version;
mod record;
mod review;
mod revocation;
mod secret;
mod store;
mod token;
mod tokens;

pub use authorization::{
    Allowed, Authorization, AuthorizationState, GrantCode, UserCode, UserCodeError, Way,
};
pub use consent::{Consent, Permission};
pub use details::{Details, DetailsError};
pub use filter::{Cursor, CursorError, Filter, Page, Sort, SortError, SortKey};
pub use id::{AuthorizationId, ConsentId, IdError, RevocationId, TokenId};
pub use kept::Kept;
pub use party::Party;
pub use policy::{Approval, Asked, Field, FieldError, Policies, Policy, PolicyError, Terms};
pub use policy_version::{PolicyDraft, PolicyVersion};
pub use record::{Claims, ClaimsTooLarge, Decision, LastUsed, Presented, Record, State, Status, Through};
pub use review::{Finding, Reason, ReviewRules};
pub use revocation::{Credential, Revocation, Revoked};
pub use secret::{Digest, NoRandomness, PREFIX, Secret, SecretError};
pub use store::{
    Change, Contents, EmbeddedStore, EngineClient, News, OpenSearchSettings, OpenSearchStore, SealError,
    ShortSecret, Store, StoreError, StoreKey, StoreKeys, Version,
};
pub use token::Token;
pub use tokens::{
    BulkRevoked, FOLLOW_EVERY, Grounds, Issued, Maintained, NotAuthorized, Refusal, RefusalReason,
    RevocationOrder, RevokedToken, Rotated, Rotation, Settings, Tokens, TokensError, Verdict,
    WithdrawnConsent,
};
