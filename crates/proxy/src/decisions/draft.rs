//! What an explanation needs to know and an audit record does not hold.

use std::sync::Arc;

use access::Denial;
use audit::{Decision, Record};
use config::model;
use http::{HeaderMap, StatusCode, header};
use rest::Need;
use smallvec::SmallVec;

use super::{Decisions, chain, store::Owners, words::Words};
use crate::{
    inspect::Findings,
    policies::{Outcome, PolicyDenial},
    principal::Principal,
    snapshot::Cluster,
};

/// Takes note of what is decided about one request.
#[derive(Debug)]
pub struct Draft {
    decisions: Arc<Decisions>,
    pub(super) settings: Arc<model::Decisions>,
    pub(super) principal: Option<Arc<Principal>>,
    /// The token's scopes.
    pub(super) scopes: Vec<Box<str>>,
    /// Issuer and subject of the token.
    party: Option<(Box<str>, Box<str>)>,
    pub(super) cluster: Option<Arc<Cluster>>,
    pub(super) needs: SmallVec<[Need; 2]>,
    pub(super) detail: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) denied: Option<Denial>,
    pub(super) policy: Option<PolicyDenial>,
    words: Option<Words>,
}

/// What a layer said no to.
#[derive(Clone, Copy, Debug)]
pub enum Because<'r> {
    /// No scope covers it.
    Scope(&'r Denial),
    /// The policies refuse it.
    Policy(&'r PolicyDenial),
    /// Something that its words say in full.
    Other,
}

/// What else is known when a request has ended.
#[derive(Clone, Copy, Debug)]
pub struct Trail<'r> {
    /// The audit record.
    pub record: &'r Record,
    /// What its body was found to need, where that was read.
    pub findings: Option<&'r Findings>,
    /// What the policies said, where they were asked.
    pub policies: Option<&'r Outcome>,
}

impl Draft {
    pub(super) fn new(decisions: Arc<Decisions>, settings: Arc<model::Decisions>) -> Self {
        Self {
            decisions,
            settings,
            principal: None,
            scopes: Vec::new(),
            party: None,
            cluster: None,
            needs: SmallVec::new(),
            detail: None,
            cause: None,
            denied: None,
            policy: None,
            words: None,
        }
    }

    /// The cluster that it is for.
    pub fn cluster(&mut self, cluster: &Arc<Cluster>) {
        self.cluster = Some(Arc::clone(cluster));
    }

    /// Who asks.
    pub fn principal(&mut self, principal: &Arc<Principal>) {
        self.principal = Some(Arc::clone(principal));
        self.caller(principal.identity());
    }

    /// What is known of who asks, where that is not all.
    pub fn caller(&mut self, caller: &oidc::Identity) {
        self.scopes.clone_from(&caller.scopes);
        self.party = Some(((*caller.issuer).into(), (*caller.subject).into()));
    }

    /// What the request line needs.
    pub fn needs(&mut self, needs: &[Need]) {
        self.needs = needs.into();
    }

    /// It was refused: in words for the caller, and for operators.
    pub fn refused(&mut self, detail: &str, cause: Option<&str>) {
        (self.detail, self.cause) = (Some(detail.to_owned()), cause.map(str::to_owned));
    }

    /// What exactly was refused.
    pub fn because(&mut self, because: Because<'_>) {
        match because {
            Because::Scope(denial) => self.denied = Some(denial.clone()),
            Because::Policy(denial) => self.policy = Some(denial.clone()),
            Because::Other => {}
        }
    }

    /// The engine has begun to answer. Listens if it says no.
    pub fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        if status == StatusCode::FORBIDDEN {
            self.words = Words::new(headers.get(header::CONTENT_ENCODING).map(http::HeaderValue::as_bytes));
        }
    }

    /// A piece of the engine's answer.
    pub fn hear(&mut self, piece: &[u8]) {
        if let Some(words) = &mut self.words {
            words.hear(piece);
        }
    }

    pub(super) fn message(&self) -> Option<String> {
        self.words.as_ref()?.message()
    }

    /// The request has ended: keeps why, where that may be asked for.
    pub fn finish(self, trail: Trail<'_>) {
        let record = trail.record;
        let refused = record.decision != Decision::Allow || record.layer.is_some();
        if refused || self.settings.allowed {
            self.decisions.keep(record.decision_id, self.owners(), &chain::explain(&self, trail));
        }
    }

    fn owners(&self) -> Owners {
        let mut parties: Vec<_> = self.party.iter().cloned().collect();
        let managed = self.principal.as_ref().and_then(|principal| principal.managed());
        for party in managed.iter().flat_map(|token| [&token.owner, &token.created_by]) {
            let party = (party.issuer.clone(), party.subject.clone());
            if !parties.contains(&party) {
                parties.push(party);
            }
        }
        Owners { parties, token: managed.map(|token| token.id.as_str().into()) }
    }
}
