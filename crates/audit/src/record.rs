use std::{borrow::Cow, net::SocketAddr, sync::Arc};

use jiff::Timestamp;
use uuid::Uuid;

use crate::{Caller, json::Object};

/// Room for most lines, in bytes.
const LINE: usize = 1024;

/// A fixed word of this program (a reason code, a layer, a protocol version), not text from a client.
pub type Label = Cow<'static, str>;

/// What was decided about a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It was let through to the upstream.
    Allow,
    /// It was refused.
    Deny,
    /// No decision was reached because something failed.
    Error,
}

impl Decision {
    /// As it stands in a record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Error => "error",
        }
    }
}

/// How the exchange ended, whatever was decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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

impl Outcome {
    /// As it stands in a record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::UpstreamBroken => "upstream_broken",
            Self::RequestBroken => "request_broken",
            Self::TimedOut => "timed_out",
            Self::Aborted => "aborted",
        }
    }
}

/// As whom the request was forwarded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EngineIdentity {
    /// The kind of credential, such as `signed_jwt`.
    pub kind: Label,
    /// The engine's user name.
    pub user: Arc<str>,
    /// The engine's backend roles.
    pub roles: Arc<[Arc<str>]>,
}

/// One request, as the audit trail keeps it.
///
/// [`Record::begin`] makes one that says the least: nothing decided, nothing ended. What becomes known is filled in.
/// The query of `path` is never written, and long texts and lists are cut, whatever is put in here.
#[derive(Clone, Debug)]
pub struct Record {
    /// When the request's head had been read.
    pub timestamp: Timestamp,
    /// The id of the request, as sent to the upstream and the client.
    pub request_id: String,
    /// The id of the decision, as told to a client that was refused. A `UUIDv7`.
    pub decision_id: Uuid,
    /// What was decided.
    pub decision: Decision,
    /// Which layer refused: `request`, `token`, `scope`, `engine` and so on.
    pub layer: Option<Label>,
    /// The code of the reason for a refusal or failure.
    pub reason: Option<Label>,
    /// The reason in words, for people.
    pub detail: Option<String>,
    /// The scope that would have allowed what no scope of the token allows.
    pub needed_scope: Option<String>,
    /// The scopes that permitted the request.
    pub permitted_by: Vec<Arc<str>>,
    /// The policies that permitted the request.
    pub policies: Vec<String>,
    /// What the policies would have refused, were they not on trial.
    pub policy_would_deny: Option<String>,

    /// The OAuth client.
    pub client_id: Option<String>,
    /// What the token says of the caller.
    pub caller: Option<Arc<Caller>>,

    /// What kind of access was asked for, such as `read`.
    pub action: Option<Label>,
    /// The engine operation, such as `search`.
    pub operation: Option<Label>,
    /// The resources named, such as index expressions.
    pub targets: Vec<String>,
    /// Each action with its target, as `read logs-1`, where not all of them are `action`.
    pub needs: Vec<String>,
    /// The configured cluster.
    pub cluster: Option<Arc<str>>,
    /// Which of the cluster's servers the request is for: `engine` or `dashboards`.
    pub upstream: Option<Label>,
    /// The request method.
    pub method: String,
    /// The request path as received. A query is cut off before it is written.
    pub path: String,

    /// As whom the request was forwarded.
    pub engine_identity: Option<EngineIdentity>,
    /// The status sent to the client; absent when none was sent.
    pub status: Option<u16>,
    /// The status received from the upstream.
    pub engine_status: Option<u16>,
    /// The upstream node asked.
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
    pub upstream_us: Option<u64>,

    /// The client's address and port.
    pub source: Option<SocketAddr>,
    /// The TLS version; absent on a listener without TLS.
    pub tls: Option<Label>,
    /// The HTTP version spoken by the client, such as `HTTP/1.1`.
    pub http_version: Label,
    /// The W3C trace id.
    pub trace_id: Option<String>,

    /// Records dropped since the record before this one. Set when the record is queued.
    pub missed_before: u64,
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

    /// Appends the record's line.
    fn append(&self, buffer: &mut Vec<u8>) {
        let Self {
            timestamp,
            request_id,
            decision_id,
            decision,
            layer,
            reason,
            detail,
            needed_scope,
            permitted_by,
            policies,
            policy_would_deny,
            client_id,
            caller,
            action,
            operation,
            targets,
            needs,
            cluster,
            upstream,
            method,
            path,
            engine_identity,
            status,
            engine_status,
            node,
            outcome,
            request_bytes,
            response_bytes,
            duration_us,
            upstream_us,
            source,
            tls,
            http_version,
            trace_id,
            missed_before,
        } = self;
        let mut object = Object::begin(buffer);
        object.text("event", "request");
        object.time("timestamp", *timestamp);
        object.text("request_id", request_id);
        object.uuid("decision_id", *decision_id);
        object.text("decision", decision.as_str());
        object.some_text("layer", layer.as_ref());
        object.some_text("reason", reason.as_ref());
        object.some_text("detail", detail.as_ref());
        object.some_text("needed_scope", needed_scope.as_ref());
        object.list("permitted_by", permitted_by);
        object.list("policies", policies);
        object.some_text("policy_would_deny", policy_would_deny.as_ref());
        object.some_text("client_id", client_id.as_ref());
        if let Some(caller) = caller {
            object.members(caller.members());
        }
        object.some_text("action", action.as_ref());
        object.some_text("operation", operation.as_ref());
        object.list("targets", targets);
        object.list("needs", needs);
        object.some_text("cluster", cluster.as_ref());
        object.some_text("upstream", upstream.as_ref());
        object.text("method", method);
        object.path("path", path);
        if let Some(EngineIdentity { kind, user, roles }) = engine_identity {
            let mut identity = object.object("engine_identity");
            identity.text("kind", kind);
            identity.text("user", user);
            identity.list("roles", roles);
            identity.end();
        }
        object.some_number("status", *status);
        object.some_number("engine_status", *engine_status);
        object.some_text("node", node.as_ref());
        object.text("outcome", outcome.as_str());
        object.number("request_bytes", *request_bytes);
        object.number("response_bytes", *response_bytes);
        object.number("duration_us", *duration_us);
        object.some_number("upstream_us", *upstream_us);
        if let Some(source) = source {
            object.address("source", *source);
        }
        object.some_text("tls", tls.as_ref());
        object.text("http_version", http_version);
        object.some_text("trace_id", trace_id.as_ref());
        if *missed_before > 0 {
            object.number("missed_before", *missed_before);
        }
        object.end();
        buffer.push(b'\n');
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
    pub(crate) fn new(record: &Record) -> Self {
        let mut line = Vec::with_capacity(LINE);
        record.append(&mut line);
        Self { line, missed_before: record.missed_before }
    }
}

/// Appends the line that says that records were dropped and no later record could say so.
pub(crate) fn append_gap(missed_before: u64, buffer: &mut Vec<u8>) {
    let mut object = Object::begin(buffer);
    object.text("event", "gap");
    object.time("timestamp", Timestamp::now());
    object.number("missed_before", missed_before);
    object.end();
    buffer.push(b'\n');
}
