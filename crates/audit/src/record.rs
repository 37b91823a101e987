use std::{borrow::Cow, net::SocketAddr, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::{Caller, clip};

/// Room for most lines, in bytes.
const LINE: usize = 1024;

/// A fixed word of this program (a reason code, a layer, a protocol version), not text from a client.
pub type Label = Cow<'static, str>;

/// What was decided about a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It was let through to the upstream.
    Allow,
    /// It was refused.
    Deny,
    /// No decision was reached because something failed.
    Error,
}

/// How the exchange ended, whatever was decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole response was handed to the client's connection.
    Complete,
    /// The client went away before the end of the response.
    ClientGone,
    /// The upstream could not be reached, or broke off before the end of its response.
    UpstreamBroken,
    /// The request's body broke off or was malformed.
    RequestBroken,
    /// A time limit ended the exchange.
    TimedOut,
    /// The exchange ended without a word: a task was cancelled or failed.
    Aborted,
}

/// As whom the request was forwarded.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct EngineIdentity {
    /// The kind of credential, such as `signed_jwt`.
    pub kind: Label,
    /// The engine's user name.
    #[serde(serialize_with = "clip::text")]
    pub user: Arc<str>,
    /// The engine's backend roles.
    #[serde(serialize_with = "clip::list", skip_serializing_if = "<[_]>::is_empty")]
    pub roles: Arc<[Arc<str>]>,
}

/// One request, as the audit trail keeps it.
///
/// [`Record::begin`] makes one that says the least: nothing decided, nothing ended. What becomes known is filled in.
/// The query of `path` is never written, and long texts and lists are cut, whatever is put in here.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// When the request's head had been read.
    #[serde(serialize_with = "clip::timestamp")]
    pub timestamp: Timestamp,
    /// The id of the request, as sent to the upstream and the client.
    #[serde(serialize_with = "clip::text")]
    pub request_id: String,
    /// The id of the decision, as told to a client that was refused. A `UUIDv7`.
    #[serde(serialize_with = "clip::display")]
    pub decision_id: Uuid,
    /// What was decided.
    pub decision: Decision,
    /// Which layer refused: `request`, `token`, `scope`, `engine` and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<Label>,
    /// The code of the reason for a refusal or failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Label>,
    /// The reason in words, for people.
    #[serde(serialize_with = "clip::some_text", skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The scope that would have allowed what no scope of the token allows.
    #[serde(serialize_with = "clip::some_text", skip_serializing_if = "Option::is_none")]
    pub needed_scope: Option<String>,
    /// The scopes that permitted the request.
    #[serde(serialize_with = "clip::list", skip_serializing_if = "Vec::is_empty")]
    pub permitted_by: Vec<Arc<str>>,
    /// The policies that permitted the request.
    #[serde(serialize_with = "clip::list", skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// What the policies would have refused, were they not on trial.
    #[serde(serialize_with = "clip::some_text", skip_serializing_if = "Option::is_none")]
    pub policy_would_deny: Option<String>,

    /// The OAuth client.
    #[serde(serialize_with = "clip::some_text", skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What the token says of the caller.
    #[serde(skip)]
    pub caller: Option<Arc<Caller>>,

    /// What kind of access was asked for, such as `read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Label>,
    /// The engine operation, such as `search`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Label>,
    /// The resources named, such as index expressions.
    #[serde(serialize_with = "clip::list", skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Each action with its target, as `read logs-1`, where not all of them are `action`.
    #[serde(serialize_with = "clip::list", skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// The configured cluster.
    #[serde(serialize_with = "clip::some_text", skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Arc<str>>,
    /// Which of the cluster's servers the request is for: `engine` or `dashboards`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Label>,
    /// The request method.
    #[serde(serialize_with = "clip::text")]
    pub method: String,
    /// The request path as received. A query is cut off before it is written.
    #[serde(serialize_with = "clip::path")]
    pub path: String,

    /// As whom the request was forwarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_identity: Option<EngineIdentity>,
    /// The status sent to the client; absent when none was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The status received from the upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_status: Option<u16>,
    /// The upstream node asked.
    #[serde(serialize_with = "clip::some_text", skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// How the exchange ended.
    pub outcome: Outcome,
    /// Body bytes received from the client.
    pub request_bytes: u64,
    /// Body bytes sent to the client.
    pub response_bytes: u64,
    /// From the request's head to the end of the response, in microseconds.
    pub duration_us: u64,
    /// Of which waiting for the upstream's response head, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_us: Option<u64>,

    /// The client's address and port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SocketAddr>,
    /// The TLS version; absent on a listener without TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Label>,
    /// The HTTP version spoken by the client, such as `HTTP/1.1`.
    pub http_version: Label,
    /// The W3C trace id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,

    /// Records dropped since the record before this one. Set when the record is queued.
    #[serde(skip_serializing_if = "is_zero")]
    pub missed_before: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record {
    /// A record of a request whose head has just been read: a new decision id, [`Decision::Error`] and
    /// [`Outcome::Aborted`] until something better is known.
    pub fn begin(request_id: impl Into<String>, method: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            timestamp: Timestamp::now(),
            request_id: request_id.into(),
            decision_id: Uuid::now_v7(),
            decision: Decision::Error,
            layer: None,
            reason: None,
            detail: None,
            needed_scope: None,
            permitted_by: Vec::new(),
            policies: Vec::new(),
            policy_would_deny: None,
            client_id: None,
            caller: None,
            action: None,
            operation: None,
            targets: Vec::new(),
            needs: Vec::new(),
            cluster: None,
            upstream: None,
            method: method.into(),
            path: path.into(),
            engine_identity: None,
            status: None,
            engine_status: None,
            node: None,
            outcome: Outcome::Aborted,
            request_bytes: 0,
            response_bytes: 0,
            duration_us: 0,
            upstream_us: None,
            source: None,
            tls: None,
            http_version: Label::Borrowed("unknown"),
            trace_id: None,
            missed_before: 0,
        }
    }
}

/// A record on its way to the writer.
#[derive(Debug)]
pub(crate) struct Queued {
    /// Its line.
    pub(crate) line: Vec<u8>,
    /// How many records it says are missing.
    pub(crate) missed_before: u64,
}

impl Queued {
    pub(crate) fn new(record: &Record) -> Result<Self, serde_json::Error> {
        let mut line = Vec::with_capacity(LINE);
        Line::Request(record).append(&mut line)?;
        Ok(Self { line, missed_before: record.missed_before })
    }
}

/// A line of the trail.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    /// A request.
    Request(&'a Record),
    /// Records were dropped and no later record could say so.
    Gap {
        #[serde(serialize_with = "clip::timestamp")]
        timestamp: Timestamp,
        missed_before: u64,
    },
}

impl Line<'_> {
    /// Appends the line to `buffer`. JSON escapes every control character, so a line cannot hold another.
    ///
    /// On an error the buffer is as before.
    pub(crate) fn append(&self, buffer: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let before = buffer.len();
        if let Err(error) = serde_json::to_writer(&mut *buffer, self) {
            buffer.truncate(before);
            return Err(error);
        }
        if let Self::Request(Record { caller: Some(caller), .. }) = self {
            buffer.pop();
            buffer.push(b',');
            buffer.extend_from_slice(caller.members().as_bytes());
            buffer.push(b'}');
        }
        buffer.push(b'\n');
        Ok(())
    }
}
