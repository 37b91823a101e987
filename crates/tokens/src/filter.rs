//! Which tokens a list shows, in which order, and from where on.

use std::cmp::Ordering;

use access::Scope;
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Party, Status, Token, TokenId};

/// Which tokens are meant: those that meet all that is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Of this party: its own, and those that it had made. What everyone may see.
    pub of: Option<Party>,
    /// Of this client.
    pub client_id: Option<Box<str>>,
    /// Whose owner is this subject.
    pub owner: Option<Box<str>>,
    /// Whose owner is this user.
    pub user: Option<Box<str>>,
    /// With a scope that has something in common with this one.
    pub scope: Option<Scope>,
    /// For this cluster.
    pub cluster: Option<Box<str>>,
    /// That stand so.
    pub status: Option<Status>,
    /// Made by this subject, user or client.
    pub created_by: Option<Box<str>>,
    /// That end before.
    pub expires_before: Option<Timestamp>,
    /// Not used since: the last use, or else the making, lies before.
    pub unused_since: Option<Timestamp>,
}

impl Filter {
    /// Whether a token is meant.
    pub fn matches(&self, token: &Token, now: Timestamp) -> bool {
        fn same(wanted: Option<&str>, found: Option<&str>) -> bool {
            wanted.is_none_or(|wanted| found == Some(wanted))
        }
        let owner = &token.owner;
        let maker = &token.created_by;
        let made_by = |wanted: &str| {
            *maker.subject == *wanted
                || maker.user.as_deref() == Some(wanted)
                || maker.client_id.as_deref() == Some(wanted)
        };
        self.of.as_ref().is_none_or(|party| token.is_of(party))
            && same(self.client_id.as_deref(), owner.client_id.as_deref())
            && same(self.owner.as_deref(), Some(&owner.subject))
            && same(self.user.as_deref(), owner.user.as_deref())
            && self.status.is_none_or(|status| token.status(now) == status)
            && self.cluster.as_ref().is_none_or(|cluster| token.is_for_cluster(cluster))
            && self.created_by.as_ref().is_none_or(|wanted| made_by(wanted))
            && self.expires_before.is_none_or(|before| token.expires_at < before)
            && self.scope.as_ref().is_none_or(|wanted| token.scopes.iter().any(|scope| scope.meets(wanted)))
            && self.unused_since.is_none_or(|since| used_or_made(token) < since)
    }

    /// Whether everything is meant.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

pub(crate) fn used_or_made(token: &Token) -> Timestamp {
    token.last_used().map_or(token.created_at, |used| used.at)
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SortKey {
    /// When they were made.
    #[default]
    CreatedAt,
    /// When they end.
    ExpiresAt,
    /// When they were used last; those never used come first.
    LastUsed,
    /// Their names; those without come first.
    Name,
}

/// The order of a list. Equal ones follow their ids.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
pub struct Sort {
    /// By what.
    pub by: SortKey,
    /// Greatest first.
    pub descending: bool,
}

/// The text is not an order.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error(
    "{0:?} is not an order: write created_at, expires_at, last_used or name, with - before it for the reverse"
)]
pub struct SortError(Box<str>);

impl std::str::FromStr for Sort {
    type Err = SortError;

    fn from_str(text: &str) -> Result<Self, SortError> {
        let (descending, key) = match text.strip_prefix('-') {
            Some(key) => (true, key),
            None => (false, text),
        };
        let by = match key {
            "created_at" => SortKey::CreatedAt,
            "expires_at" => SortKey::ExpiresAt,
            "last_used" => SortKey::LastUsed,
            "name" => SortKey::Name,
            _ => return Err(SortError(text.into())),
        };
        Ok(Self { by, descending })
    }
}

/// Where a page of a list ends, and the next begins. Its place is what the last entry is sorted by, so that entries that come
/// and go meanwhile make none appear twice and leave none out.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Cursor {
    sort: Sort,
    last: Place,
}

/// The text is not a cursor, or that of another order.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not a cursor of a list in this order: begin again without one")]
pub struct CursorError;

impl Cursor {
    /// Reads one that [`Self::to_text`] wrote, for a list in this order.
    pub fn parse(text: &str, sort: Sort) -> Result<Self, CursorError> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| CursorError)?;
        let cursor: Self = serde_json::from_slice(&bytes).map_err(|_| CursorError)?;
        if cursor.sort == sort { Ok(cursor) } else { Err(CursorError) }
    }

    /// As text, to be given back unchanged.
    pub fn to_text(&self) -> String {
        BASE64URL_NOPAD.encode(&serde_json::to_vec(self).unwrap_or_default())
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct Place {
    value: Value,
    id: TokenId,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Value {
    Time(Option<Timestamp>),
    Text(Option<Box<str>>),
}

impl Place {
    fn of(token: &Token, by: SortKey) -> Self {
        let value = match by {
            SortKey::CreatedAt => Value::Time(Some(token.created_at)),
            SortKey::ExpiresAt => Value::Time(Some(token.expires_at)),
            SortKey::LastUsed => Value::Time(token.last_used().map(|used| used.at)),
            SortKey::Name => Value::Text(token.name.clone()),
        };
        Self { value, id: token.id.clone() }
    }

    fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let order = self.value.cmp(&other.value).then_with(|| self.id.cmp(&other.id));
        if descending { order.reverse() } else { order }
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// The tokens, in order.
    pub tokens: Vec<Token>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<Cursor>,
}

impl Page {
    pub(crate) fn of(tokens: Vec<Token>, sort: Sort, limit: usize, after: Option<&Cursor>) -> Self {
        let mut placed: Vec<(Place, Token)> =
            tokens.into_iter().map(|token| (Place::of(&token, sort.by), token)).collect();
        if let Some(cursor) = after {
            placed.retain(|(place, _)| place.compare(&cursor.last, sort.descending).is_gt());
        }
        let compare = |one: &(Place, Token), two: &(Place, Token)| one.0.compare(&two.0, sort.descending);
        let more = placed.len() > limit;
        if more {
            // Only the page is put in order, not all that is behind it.
            placed.select_nth_unstable_by(limit, compare);
            placed.truncate(limit);
        }
        placed.sort_unstable_by(compare);
        let last = placed.last().filter(|_| more).map(|(place, _)| place.clone());
        Self {
            next: last.map(|last| Cursor { sort, last }),
            tokens: placed.into_iter().map(|(_, token)| token).collect(),
        }
    }
}
