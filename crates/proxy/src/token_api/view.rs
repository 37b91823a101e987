//! Tokens as answers show them: everything but the secret and the claims, which may hold personal data.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;
use tokens::{Decision, Finding, Party, Reason, Revocation, Revoked, State, Token};

/// A token.
#[derive(Serialize)]
pub(crate) struct TokenView<'a> {
    token_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    metadata: &'a BTreeMap<Box<str>, Box<str>>,
    status: &'static str,
    scopes: Vec<String>,
    clusters: &'a [Box<str>],
    owner: &'a Party,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    created_at: Timestamp,
    created_by: &'a Party,
    expires_at: Timestamp,
    /// The consent of the owner under which a client of the proxy's own has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    consent_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated_to: Option<String>,
    /// Until when a pending token can be approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    decide_by: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved: Option<DecisionView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<DecisionView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<DecisionView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<LastUsedView>,
}

/// Who decided something.
#[derive(Serialize)]
pub(crate) struct DecisionView<'a> {
    at: Timestamp,
    by: &'a Party,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct LastUsedView {
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
}

impl<'a> DecisionView<'a> {
    pub(crate) fn new(decision: &'a Decision) -> Self {
        Self { at: decision.at, by: &decision.by, reason: decision.reason.as_deref() }
    }
}

impl<'a> TokenView<'a> {
    pub(crate) fn new(token: &'a Token, now: Timestamp) -> Self {
        let (decide_by, approved, denied, revoked) = match &token.state {
            State::Pending { decide_by, .. } => (Some(*decide_by), None, None, None),
            State::Active { approval } => (None, approval.as_ref(), None, None),
            State::Denied { decision } => (None, None, Some(decision), None),
            State::Revoked { decision, approval } => (None, approval.as_ref(), None, Some(decision)),
        };
        let last_used = token.last_used().map(|used| LastUsedView { at: used.at, address: used.address });
        Self {
            token_id: token.id.as_str(),
            name: token.name.as_deref(),
            description: token.description.as_deref(),
            metadata: &token.metadata,
            status: token.status(now).as_str(),
            scopes: token.scopes.iter().map(ToString::to_string).collect(),
            clusters: &token.clusters,
            owner: &token.owner,
            act: token.act.as_ref(),
            policy: token.policy.as_deref(),
            created_at: token.created_at,
            created_by: &token.created_by,
            expires_at: token.expires_at,
            consent_id: token.through.as_ref().map(|through| through.consent.as_str()),
            rotated_from: token.rotated_from.as_ref().map(ToString::to_string),
            rotated_to: token.rotated_to.as_ref().map(ToString::to_string),
            decide_by,
            approved: approved.map(DecisionView::new),
            denied: denied.map(DecisionView::new),
            revoked: revoked.map(DecisionView::new),
            last_used,
        }
    }
}

/// A page of a list.
#[derive(Serialize)]
pub(crate) struct ListView<'a> {
    pub(crate) tokens: Vec<TokenView<'a>>,
    pub(crate) next_cursor: Option<String>,
}

/// A revocation of provider tokens.
#[derive(Serialize)]
pub(crate) struct RevocationView<'a> {
    revocation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_before: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    decided: DecisionView<'a>,
}

impl<'a> RevocationView<'a> {
    pub(crate) fn new(revocation: &'a Arc<Revocation>) -> Self {
        let (jti, client_id, subject) = match &revocation.of {
            Revoked::Jti(jti) => (Some(&**jti), None, None),
            Revoked::ClientId(client) => (None, Some(&**client), None),
            Revoked::Subject(subject) => (None, None, Some(&**subject)),
        };
        Self {
            revocation_id: revocation.id.as_str(),
            jti,
            client_id,
            subject,
            issuer: revocation.issuer.as_deref(),
            issued_before: revocation.issued_before,
            until: revocation.until,
            decided: DecisionView::new(&revocation.decision),
        }
    }
}

/// A token worth a second look.
#[derive(Serialize)]
pub(crate) struct FindingView<'a> {
    token: TokenView<'a>,
    reasons: Vec<ReasonView>,
}

#[derive(Serialize)]
struct ReasonView {
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl<'a> FindingView<'a> {
    pub(crate) fn new(finding: &'a Finding, now: Timestamp) -> Self {
        let reasons = finding.reasons.iter().map(|reason| {
            let (since, scope, expires_at) = match reason {
                Reason::Unused { since } | Reason::NeverExpiring { since } => (Some(*since), None, None),
                Reason::OverBroad { scope } => (None, Some(scope.to_string()), None),
                Reason::LongLived { expires_at } => (None, None, Some(*expires_at)),
            };
            ReasonView { reason: reason.as_str(), since, scope, expires_at }
        });
        Self { token: TokenView::new(&finding.token, now), reasons: reasons.collect() }
    }
}
