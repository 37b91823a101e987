//! Whose handles: those that a request names, unwrapped for whoever was given them; those that its answer tells, wrapped.
//!
//! A scroll, a point in time or a task works at the engine for whoever knows its id. On a cluster with `handles` clients
//! never have the engine's id alone, but one bound to whoever made it, as the crate `handles` tells. This step comes before
//! the decision, because what a request may touch depends on what its handle stands for.

mod answer;

use std::sync::Arc;

use ::handles::{Caller, Keys, Owner, RewriteError, UnknownHandle, UsedHandles, places};
use access::{Denial, Rights};
use http::{HeaderMap, HeaderValue, header, uri::PathAndQuery};
use oidc::Identity;
use rest::{BodyLimits, BodyPlan, BodyRefusal, Inquiry, Origin, Resource};

pub use self::answer::{Answering, Told};
use crate::{
    authenticate::Authenticated,
    body::BodyError,
    inflate::{Coding, InflateError, Inflater},
    intake::Received,
};

/// Bytes of a body, as it came and inflated, in which handles are looked for: two of the longest.
const LONGEST: usize = 512 * 1024;

/// An authenticated request that names handles as the engine does, if it names any.
#[derive(Debug)]
pub struct Presented {
    /// The request. What it asks is judged by what its handles stand for.
    pub authenticated: Authenticated,
    /// Whose handles it used; `None` where no handle could stand or be told.
    pub bound: Option<Bound>,
}

/// A caller's handles in one request.
#[derive(Debug)]
pub struct Bound {
    keys: Arc<Keys>,
    owner: Owner,
    used: UsedHandles,
    /// Why a body that could name handles was not read for them.
    unread: Option<Unread>,
}

/// Why a request's handles, or those of its answer, are not for this caller.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Nothing of the kind was given to this caller on this cluster.
    #[error(
        "no such handle (scroll, point in time, task, asynchronous search or cursor) was given to this caller on this \
         cluster: use one as it was given, with a token of the same user and client"
    )]
    Unknown,
    /// The body can name handles, and could not be read for them.
    #[error("the body can name handles and is not read for them, since {0}")]
    Unread(Unread),
    /// The answer would tell a handle in a format in which it cannot be bound.
    #[error("the answer tells a handle, which is bound to its caller in JSON only: ask without `format={0}`")]
    Format(Box<str>),
    /// The body has no single meaning.
    #[error(transparent)]
    Body(#[from] BodyRefusal),
    /// The body broke off.
    #[error(transparent)]
    Broken(#[from] BodyError),
    /// The request line with the engine's handle in it is none.
    #[error("the engine's handle does not fit into a request line")]
    Line(#[from] http::uri::InvalidUri),
}

impl HandleError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown => "handle_unknown",
            Self::Unread(_) => "handle_not_read",
            Self::Format(_) => "handle_format",
            Self::Body(refusal) => refusal.reason(),
            Self::Broken(_) | Self::Line(_) => "request_body_broken",
        }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unknown => 404,
            Self::Body(refusal) => refusal.status(),
            Self::Unread(_) | Self::Format(_) | Self::Broken(_) | Self::Line(_) => 400,
        }
    }
}

/// Why a body was not read for handles. Completes "since …" and says the cure.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unread {
    /// It is long.
    #[error("it is longer than {LONGEST} bytes: send fewer handles at once")]
    Long,
    /// It is not JSON by its media type.
    #[error("its media type is not JSON: send `Content-Type: application/json`")]
    Media,
    /// It is in an unknown compression.
    #[error("its content encoding is not known: send it as gzip or uncompressed")]
    Coding,
    /// Its compression cannot be undone.
    #[error("{0}")]
    Inflate(#[from] InflateError),
    /// It is not JSON.
    #[error("it is no JSON of one meaning; {0}")]
    Json(RewriteError<UnknownHandle>),
}

/// Puts the engine's handles in the place of those that the caller of `authenticated` was given, in line and body.
///
/// # Errors
///
/// When one was given to somebody else, or to nobody; when the body has to be read and breaks off or cannot be.
pub async fn present(authenticated: Authenticated) -> Result<Presented, HandleError> {
    let classified = &authenticated.classified;
    let keys = classified.received.cluster.handles().filter(|_| classified.received.destination.is_engine());
    let has_places = classified.ask.as_ref().is_ok_and(|ask| places(ask.operation.name).is_some());
    match keys.filter(|_| has_places) {
        Some(keys) => {
            let keys = Arc::clone(keys);
            Box::pin(unwrap(authenticated, keys)).await
        }
        None => Ok(Presented { authenticated, bound: None }),
    }
}

/// Unwraps what stands in the places of an operation that has some.
async fn unwrap(mut authenticated: Authenticated, keys: Arc<Keys>) -> Result<Presented, HandleError> {
    let Authenticated { classified, principal, .. } = &mut authenticated;
    let received = &mut classified.received;
    let Ok(ask) = &mut classified.ask else {
        return Ok(Presented { authenticated, bound: None });
    };
    let cluster = Arc::clone(received.cluster.label());
    let owner = owner(principal.identity());
    let caller = Caller { keys: &keys, cluster: &cluster, owner: &owner };
    let mut used = UsedHandles::default();
    let unknown = |UnknownHandle| HandleError::Unknown;

    let (path, query) = (received.target.path(), received.target.query());
    let line = caller.line(ask.operation, path, query, &mut used).map_err(unknown)?;
    let mut body = None;
    let mut unread = None;
    if Caller::reads_body(ask.operation) {
        match whole(received).await? {
            Ok(None) => {}
            Ok(Some(bytes)) => match caller.body(ask.operation, &bytes, &mut used) {
                Ok(bytes) => body = Some(bytes),
                Err(RewriteError::Handle(UnknownHandle)) => return Err(HandleError::Unknown),
                Err(problem @ RewriteError::Json { .. }) => unread = Some(Unread::Json(problem)),
            },
            Err(why) => unread = Some(why),
        }
    }
    if unread.is_some() {
        used.note_unread();
    }
    if let Some(body) = body.filter(|_| !used.is_empty() || used.has_raw()) {
        let rights = principal.rights(received.cluster.index());
        read_now(ask, &body, rights)?;
        if !used.is_empty() {
            replace_body(received, body);
        }
    }
    if !used.is_empty() {
        received.target = match line.query {
            Some(query) => PathAndQuery::try_from(format!("{}?{query}", line.path))?,
            None => PathAndQuery::try_from(line.path)?,
        };
        ask.needs = used.needs(ask.operation, std::mem::take(&mut ask.needs)).into();
    }
    Ok(Presented { authenticated, bound: Some(Bound { keys, owner, used, unread }) })
}

fn owner(identity: &Identity) -> Owner {
    let bytes = |text: &Option<Arc<str>>| text.as_deref().map(|text| text.as_bytes().to_vec());
    let (client, user) = (bytes(&identity.client_id), bytes(&identity.user_id));
    Owner::new(identity.provider.as_bytes(), identity.subject.as_bytes(), client.as_deref(), user.as_deref())
}

/// The whole body, inflated; `None` for none. What was taken of it stays with the request.
async fn whole(received: &mut Received) -> Result<Result<Option<Vec<u8>>, Unread>, BodyError> {
    let whole = received.body.keep(LONGEST).await?;
    if received.body.has_ended() || (whole && received.body.kept().all(<[u8]>::is_empty)) {
        return Ok(Ok(None));
    }
    Ok(if whole { inflated(received).map(Some) } else { Err(Unread::Long) })
}

fn inflated(received: &Received) -> Result<Vec<u8>, Unread> {
    let single = |name| {
        let mut values = received.headers.get_all(name).iter().map(HeaderValue::as_bytes);
        (values.next(), values.next())
    };
    let (Some(media), None) = single(header::CONTENT_TYPE) else { return Err(Unread::Media) };
    if !is_json(media) {
        return Err(Unread::Media);
    }
    let mut bytes = Vec::new();
    let coding = match single(header::CONTENT_ENCODING) {
        (None, _) => None,
        (Some(name), None) if name.trim_ascii().eq_ignore_ascii_case(b"identity") => None,
        (Some(name), None) => Some(Coding::named(name).ok_or(Unread::Coding)?),
        (Some(_), Some(_)) => return Err(Unread::Coding),
    };
    let Some(coding) = coding else {
        received.body.kept().for_each(|piece| bytes.extend_from_slice(piece));
        return Ok(bytes);
    };
    let mut inflater = Inflater::new(coding);
    for piece in received.body.kept() {
        inflater.feed(piece, |inflated| {
            bytes.extend_from_slice(inflated);
            if bytes.len() > LONGEST { Err(Unread::Long) } else { Ok(()) }
        })?;
    }
    inflater.finish()?;
    Ok(bytes)
}

/// Whether a media type is that of a JSON object.
fn is_json(media: &[u8]) -> bool {
    let essence = media.split(|&byte| byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// Finds what else the body needs, so that it is judged in one with what its handles stand for. Whoever holds all that
/// it could need is taken at its word, as everywhere.
fn read_now(ask: &mut Inquiry, body: &[u8], rights: Option<&Rights>) -> Result<(), BodyRefusal> {
    let holds_all = |plan: &BodyPlan| {
        rights.is_some_and(|rights| plan.everything().iter().all(|need| rights.admits(need).is_ok()))
    };
    let Some(plan) = ask.body.take_if(|plan| !holds_all(plan)) else { return Ok(()) };
    let mut reader = plan.reader(BodyLimits::default());
    let mut needs = Vec::new();
    reader.feed(body, &mut needs)?;
    reader.finish(&mut needs)?;
    ask.needs.extend(needs);
    Ok(())
}

fn replace_body(received: &mut Received, body: Vec<u8>) {
    received.body.replace(body.into());
    received.headers.remove(header::CONTENT_LENGTH);
    received.headers.remove(header::CONTENT_ENCODING);
}

impl Bound {
    /// Whether the request used handles of its caller.
    pub fn is_used(&self) -> bool {
        !self.used.is_empty()
    }

    /// Why a request is not for this caller that was denied for want of a scope, where its handles say it better.
    pub fn explains(&self, denial: &Denial) -> Option<HandleError> {
        if let Some(unread) = self.unread.clone().filter(|_| denial.need.origin == Origin::Handle) {
            return Some(HandleError::Unread(unread));
        }
        let of_indices = matches!(denial.need.on, Resource::Index(_));
        (self.used.has_raw() && of_indices).then_some(HandleError::Unknown)
    }

    /// What has to be done to the answer of an allowed request, whose headers are made to fit; `None` for nothing.
    ///
    /// # Errors
    ///
    /// When the answer would tell a handle where it cannot be bound.
    pub fn answering(self, ask: &Inquiry, received: &mut Received) -> Result<Option<Answering>, HandleError> {
        let Self { keys, owner, used, unread: _ } = self;
        let (cluster, operation) = (received.cluster.name(), ask.operation.name);
        let query = received.target.query();
        let Some(wrapping) = ::handles::Wrapping::new(keys, cluster, &owner, operation, query, used) else {
            return Ok(None);
        };
        // The formats of SQL are its own; of these only the one that is JSON tells a cursor.
        if let Some(format) = ::handles::parameter(query, "format").filter(|_| !operation.starts_with("sql."))
            && !format.eq_ignore_ascii_case("json")
        {
            return Err(HandleError::Format(format.chars().take(20).collect()));
        }
        ask_for_plain_json(&mut received.headers);
        Ok(Some(Answering::new(wrapping, ask)))
    }
}

/// The engine answers in what the client accepts, or in what it sent.
fn ask_for_plain_json(headers: &mut HeaderMap) {
    headers.remove(header::ACCEPT_ENCODING);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
}
