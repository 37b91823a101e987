//! What is written about a request: one audit record and its metrics, whatever becomes of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use access::Permit;
use audit::{Claimed, Decision, EngineIdentity, Outcome, Record, Slot};
use engine::Credential;
use http::{StatusCode, response};
use rest::{Inquiry, Need};

use crate::{
    authenticate::timestamp,
    body::Progress,
    decisions::{Because, Draft, Trail},
    inspect::Findings,
    listener::Peer,
    metrics::{Held, Metrics, RequestLabels, status_class},
    pipeline::Stop,
    policies::Judge,
    principal::Principal,
    snapshot::Cluster,
    trace::Span,
};

/// The record of one request in the making.
///
/// It travels with the request and then with the response's body, and is written when dropped: at the end of the body,
/// or when the client goes away, or when a task is cancelled. There is no path on which a request leaves no record.
#[derive(Debug)]
pub struct Entry {
    record: Option<Box<Record>>,
    slot: Option<Slot>,
    begun: Instant,
    cluster: Option<Arc<str>>,
    action: Option<&'static str>,
    refusal: Option<(&'static str, &'static str)>,
    findings: Option<Arc<Findings>>,
    /// What exactly was refused.
    refused_need: Option<Need>,
    judge: Option<Judge>,
    /// Becomes the explanation of the decision, where those are kept.
    draft: Option<Box<Draft>>,
    request: Option<Arc<Progress>>,
    response: Option<Arc<Progress>>,
    upstream: Option<Duration>,
    metrics: Arc<Metrics>,
    stop: Arc<Stop>,
    /// Ends with the record, so that it covers the response's body too.
    span: Option<Span>,
    _in_flight: Held,
}

impl Entry {
    /// Begins the record of a request whose head has just been read; `slot` is its place in the audit queue.
    pub fn begin(
        record: Record,
        slot: Slot,
        draft: Option<Box<Draft>>,
        begun: Instant,
        peer: &Peer,
        metrics: &Arc<Metrics>,
        stop: &Arc<Stop>,
    ) -> Self {
        let mut record = Box::new(record);
        record.source = Some(peer.address);
        record.tls = peer.tls.map(Into::into);
        // Dropped without an answer: the only way this happens is that hyper gave up on the connection.
        record.outcome = Outcome::ClientGone;
        Self {
            record: Some(record),
            slot: Some(slot),
            begun,
            cluster: None,
            action: None,
            refusal: None,
            findings: None,
            refused_need: None,
            judge: None,
            draft,
            request: None,
            response: None,
            upstream: None,
            metrics: Arc::clone(metrics),
            stop: Arc::clone(stop),
            span: None,
            _in_flight: metrics.request_begun(),
        }
    }

    /// Fills in the record.
    pub fn note(&mut self, fill: impl FnOnce(&mut Record)) {
        if let Some(record) = &mut self.record {
            fill(record);
        }
    }

    /// The id that a refused client is told.
    pub fn decision_id(&self) -> uuid::Uuid {
        self.record.as_ref().map(|record| record.decision_id).unwrap_or_default()
    }

    /// The id of the request, sent to the client and the engine.
    pub fn request_id(&self) -> &str {
        self.record.as_ref().map(|record| record.request_id.as_str()).unwrap_or_default()
    }

    /// The cluster has been found.
    pub fn cluster(&mut self, cluster: &Arc<Cluster>) {
        self.cluster = Some(Arc::clone(cluster.label()));
        self.note(|record| record.cluster = Some(Arc::clone(cluster.label())));
        if let Some(draft) = &mut self.draft {
            draft.cluster(cluster);
        }
    }

    /// The span of this request.
    pub fn trace(&mut self, span: Span) {
        if let Some(trace_id) = span.trace_id() {
            self.note(|record| record.trace_id = Some(trace_id));
        }
        self.span = Some(span);
    }

    /// Which of the cluster's servers it is for.
    pub fn destination(&mut self, kind: &'static str) {
        self.note(|record| record.upstream = Some(kind.into()));
    }

    /// What is asked has been understood.
    pub fn asked(&mut self, operation: &'static str, action: &'static str, targets: Vec<String>) {
        self.action = Some(action);
        if let Some(span) = &mut self.span {
            span.asked(operation);
        }
        self.note(|record| {
            record.operation = Some(operation.into());
            record.action = Some(action.into());
            record.targets = targets;
        });
    }

    /// As [`Self::asked`], of a request for a cluster.
    pub fn asks(&mut self, ask: &Inquiry) {
        let targets = ask.needs.iter().map(|need| need.on.to_string()).collect();
        self.asked(ask.operation.name, ask.operation.action.as_str(), targets);
        let mixed = ask.needs.iter().any(|need| need.action != ask.operation.action);
        if mixed {
            self.note(|record| record.needs = ask.needs.iter().map(in_short).collect());
        }
        if let Some(draft) = &mut self.draft {
            draft.needs(&ask.needs);
        }
    }

    /// The token was verified, and stands for somebody.
    pub fn principal(&mut self, principal: &Arc<Principal>) {
        self.note(|record| {
            record.client_id = principal.identity().client_id.as_deref().map(str::to_owned);
            record.caller = Some(Arc::clone(principal.caller()));
        });
        if let Some(draft) = &mut self.draft {
            draft.principal(principal);
        }
    }

    /// The token was verified; this is what it says of the caller.
    pub fn caller(&mut self, caller: &oidc::Identity) {
        self.note(|record| {
            record.client_id = caller.client_id.as_deref().map(str::to_owned);
            record.caller = Some(Arc::new(of_token(caller)));
        });
        if let Some(draft) = &mut self.draft {
            draft.caller(caller);
        }
    }

    /// The request may pass, under this engine identity.
    pub fn allowed(&mut self, permit: &Permit, identity: &Credential) {
        self.note(|record| {
            record.decision = Decision::Allow;
            record.permitted_by = permit.scopes.to_vec();
            let (user, roles) = identity.user();
            record.engine_identity = Some(EngineIdentity { kind: identity.kind().into(), user, roles });
        });
    }

    /// The request was sent once more, as this engine user.
    pub fn renewed(&mut self, user: &str) {
        self.note(|record| {
            if let Some(identity) = &mut record.engine_identity {
                identity.user = user.into();
            }
        });
    }

    /// The request was refused or failed: `detail` is for the caller, `cause` for operators.
    pub fn refused(
        &mut self,
        decision: Decision,
        layer: &'static str,
        reason: &'static str,
        detail: &str,
        cause: Option<&str>,
    ) {
        self.refusal = Some((layer, reason));
        self.note(|record| {
            record.decision = decision;
            record.layer = Some(layer.into());
            record.reason = Some(reason.into());
            record.detail = Some(match cause {
                Some(cause) => format!("{detail}: {cause}"),
                None => detail.to_owned(),
            });
        });
        if let Some(draft) = &mut self.draft {
            draft.refused(detail, cause);
        }
    }

    /// What exactly was refused.
    pub fn because(&mut self, because: Because<'_>) {
        match because {
            Because::Scope(denial) => {
                self.note(|record| record.needed_scope = Some(denial.would_allow.to_string()));
                self.refused_need = Some(denial.need.clone());
            }
            Because::Policy(denial) => self.refused_need = Some(denial.need.clone()),
            Because::Other => {}
        }
        if let Some(draft) = &mut self.draft {
            draft.because(because);
        }
    }

    /// A piece of the engine's answer, on its way to the client.
    pub fn hear(&mut self, piece: &[u8]) {
        if let Some(draft) = &mut self.draft {
            draft.hear(piece);
        }
    }

    /// The request's body is read for what it names.
    pub fn watch_findings(&mut self, findings: Arc<Findings>) {
        self.findings = Some(findings);
    }

    /// What the request needs is asked about of the policies.
    pub fn watch_policies(&mut self, judge: Option<Judge>) {
        self.judge = judge;
    }

    /// The request's body is on its way.
    pub fn watch_request(&mut self, progress: Arc<Progress>) {
        self.request = Some(progress);
    }

    /// The engine's response head has come, after waiting for `waited`.
    pub fn answered(
        &mut self,
        node: &str,
        head: &response::Parts,
        waited: Duration,
        progress: Arc<Progress>,
    ) {
        let status = head.status;
        if let Some(draft) = &mut self.draft {
            draft.answered(status, &head.headers);
        }
        self.upstream = Some(waited);
        self.response = Some(progress);
        if let Some(cluster) = &self.cluster {
            self.metrics.forwarded(cluster, waited, self.begun.elapsed().saturating_sub(waited));
        }
        self.note(|record| {
            record.node = Some(node.to_owned());
            record.engine_status = Some(status.as_u16());
        });
    }

    /// The status sent to the client.
    pub fn status(&mut self, status: StatusCode) {
        if let Some(span) = &mut self.span {
            span.answered(status);
        }
        self.note(|record| record.status = Some(status.as_u16()));
    }

    /// How the exchange ended; to be called last.
    pub fn ended(&mut self, outcome: Outcome) {
        self.note(|record| record.outcome = outcome);
    }

    /// Bytes of an answer of the proxy's own.
    pub fn own_answer(&mut self, bytes: usize) {
        self.note(|record| record.response_bytes = bytes as u64);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let (Some(mut record), Some(slot)) = (self.record.take(), self.slot.take()) else {
            return;
        };
        if record.outcome == Outcome::ClientGone && (self.stop.is_cutting() || std::thread::panicking()) {
            record.outcome = Outcome::Aborted;
        }
        record.duration_us = micros(self.begun.elapsed());
        record.upstream_us = self.upstream.map(micros);
        if let Some(findings) = &self.findings {
            let known = record.targets.clone();
            let found = findings.targets();
            record.targets.extend(found.into_iter().filter(|target| !known.contains(target)));
            let mut found = findings.noted();
            found.extend(self.refused_need.take());
            add_needs(&mut record, known, &found);
        }
        let outcome = self.judge.as_ref().map(Judge::outcome);
        if let Some(outcome) = &outcome {
            record.policies = outcome.permits.iter().map(ToString::to_string).collect();
            record.policy_would_deny = outcome.denied.as_ref().map(ToString::to_string);
        }
        if let Some(request) = &self.request {
            record.request_bytes = request.bytes();
        }
        if let Some(response) = &self.response {
            record.response_bytes = response.bytes();
        }
        if record.status.is_none() && record.decision == Decision::Error && record.reason.is_none() {
            record.reason = Some("client_gone".into());
        }
        let labels = RequestLabels {
            cluster: self.cluster.take().unwrap_or_else(|| Arc::from("none")),
            action: self.action.unwrap_or("none"),
            decision: match record.decision {
                Decision::Allow => "allow",
                Decision::Deny => "deny",
                Decision::Error => "error",
            },
            status: record
                .status
                .and_then(|code| StatusCode::from_u16(code).ok())
                .map_or("none", status_class),
        };
        self.metrics.request_ended(&labels, record.request_bytes, record.response_bytes);
        if let Some((layer, reason)) = self.refusal {
            self.metrics.refused(layer, reason);
        }
        if let Some(draft) = self.draft.take() {
            let (findings, policies) = (self.findings.as_deref(), outcome.as_ref());
            draft.finish(Trail { record: &record, findings, policies });
        }
        slot.commit(record);
    }
}

/// What a verified token says of the caller, for all records of requests with it.
pub(crate) fn of_token(caller: &oidc::Identity) -> audit::Caller {
    audit::Caller::new(&Claimed {
        user_id: caller.user_id.as_deref(),
        subject: &caller.subject,
        issuer: &caller.issuer,
        provider: &caller.provider,
        token_id: caller.token_id.as_deref(),
        scopes: &caller.scopes,
        groups: &caller.groups,
        acr: caller.acr.as_deref(),
        token_issued_at: caller.issued_at.and_then(timestamp),
    })
}

/// A need as the audit record has it.
fn in_short(need: &Need) -> String {
    format!("{} {}", need.action, need.on)
}

/// Adds what a body was found to need, where not all of the request is of the record's own action. `known` are the targets of the
/// request line.
fn add_needs(record: &mut Record, known: Vec<String>, found: &[Need]) {
    let own = record.action.clone().unwrap_or_default();
    if record.needs.is_empty() {
        if found.iter().all(|need| need.action.as_str() == own) {
            return;
        }
        record.needs = known.into_iter().map(|target| format!("{own} {target}")).collect();
    }
    for need in found.iter().map(in_short) {
        if !record.needs.contains(&need) {
            record.needs.push(need);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
