//! From what was noted to an explanation.

use std::collections::BTreeMap;

use access::Rights;
use audit::{Decision, Record};
use explain::{
    Cure, Engine, Explanation, Mapping, Need, Policies, Request, Scopes, Token, TokenKind, Verdict,
};

use super::{Draft, Trail};
use crate::{
    authenticate::timestamp,
    inspect::Findings,
    principal::{Principal, View},
};

/// Entries of a list that are kept.
const ENTRIES: usize = 64;
/// Claims that are kept, and values of each.
const CLAIMS: usize = 8;
/// Bytes of a name, a scope or a value that are kept.
const NAME: usize = 128;
/// Bytes of a sentence or a path that are kept.
const TEXT: usize = 1024;
/// Mappings that are told of as a way to be allowed.
const WAYS: usize = 4;

/// `text`, or as much of it as fits into `most` bytes with a mark that there was more.
pub(super) fn clip(text: &str, most: usize) -> String {
    const CUT: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most - CUT.len()).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
    format!("{}{CUT}", &text[..end])
}

fn names<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Vec<String> {
    names.into_iter().take(ENTRIES).map(|name| clip(name.as_ref(), NAME)).collect()
}

fn name<T: AsRef<str>>(name: Option<T>) -> Option<String> {
    name.map(|name| clip(name.as_ref(), NAME))
}

/// All that was decided about a request.
pub(super) fn explain(draft: &Draft, trail: Trail<'_>) -> Explanation {
    let record = trail.record;
    let rights = rights(draft);
    let needs = needs(draft, trail, rights);
    let mut explanation = Explanation {
        decision_id: record.decision_id.to_string(),
        request_id: record.request_id.clone(),
        at: Some(record.timestamp),
        decision: match record.decision {
            Decision::Allow => Verdict::Allow,
            Decision::Deny => Verdict::Deny,
            Decision::Error => Verdict::Error,
        },
        layer: name(record.layer.as_ref()),
        reason: name(record.reason.as_ref()),
        detail: draft.detail.as_ref().map(|detail| clip(detail, TEXT)),
        cause: draft.cause.as_ref().map(|cause| clip(cause, TEXT)),
        status: record.status,
        request: request(record),
        token: draft.principal.as_deref().map(token),
        scopes: Scopes {
            token: names(&draft.scopes),
            held: names(rights.into_iter().flat_map(Rights::scopes)),
            permitted_by: names(&record.permitted_by),
        },
        needs,
        policies: policies(draft, trail),
        engine: engine(draft, record),
        contact: draft.settings.contact.clone(),
        ..Explanation::default()
    };
    // What a managed token may do was granted to it, within what mappings gave to whoever had it made.
    if let (Some(principal), Some(cluster)) = (&draft.principal, &draft.cluster)
        && principal.managed().is_none()
        && let Some(mapper) = cluster.mapper(&principal.identity().provider)
    {
        let view = View::of(principal.identity(), &principal.identity().claims);
        explanation.claims = claims(principal, mapper);
        explanation.mappings = mapper.met(&view).take(ENTRIES / 4).map(mapping).collect();
        explanation.would_allow = explanation.cures();
        explanation.would_allow.extend(other_mappings(draft, mapper, &view));
    } else {
        explanation.would_allow = explanation.cures();
    }
    explanation
}

fn rights(draft: &Draft) -> Option<&Rights> {
    draft.principal.as_ref()?.rights(draft.cluster.as_ref()?.index())
}

fn request(record: &Record) -> Request {
    Request {
        method: clip(&record.method, NAME),
        path: clip(&record.path, TEXT),
        cluster: name(record.cluster.as_ref()),
        upstream: name(record.upstream.as_ref()),
        operation: name(record.operation.as_ref()),
        action: name(record.action.as_ref()),
        source: record.source.map(|source| source.to_string()),
    }
}

fn token(principal: &Principal) -> Token {
    let identity = principal.identity();
    Token {
        kind: if principal.managed().is_some() { TokenKind::Managed } else { TokenKind::Provider },
        id: name(identity.token_id.as_ref()),
        provider: name(Some(&identity.provider)),
        issuer: name(Some(&identity.issuer)),
        subject: name(Some(&identity.subject)),
        client_id: name(identity.client_id.as_ref()),
        user_id: name(identity.user_id.as_ref()),
        issued_at: identity.issued_at.and_then(timestamp),
        expires_at: timestamp(identity.expires_at),
    }
}

/// The claims that mappings ask for, and nothing else of the token.
fn claims(principal: &Principal, mapper: &access::Mapper) -> BTreeMap<String, Vec<String>> {
    let identity = principal.identity();
    let mut found = BTreeMap::new();
    for mapping in mapper.mappings() {
        if mapping.when.names_group() {
            found.entry("groups".to_owned()).or_insert_with(|| names(identity.groups.iter().take(CLAIMS)));
        }
        for path in mapping.when.claims() {
            if found.len() < CLAIMS {
                let values = path.texts(&identity.claims);
                found.entry(path.to_string()).or_insert_with(|| names(values.into_iter().take(CLAIMS)));
            }
        }
    }
    found
}

fn mapping(mapping: &access::Mapping) -> Mapping {
    let grant = &mapping.grant;
    Mapping {
        when: clip(&mapping.when.to_string(), TEXT / 4),
        scopes: names(grant.scopes.iter().take(CLAIMS).map(ToString::to_string)),
        roles: names(grant.roles.iter().take(CLAIMS)),
        backend_user: name(grant.backend_user.as_ref()),
        tenant: name(grant.tenant.as_ref()),
    }
}

/// What was needed, and for each whether a scope covers it. With a catalogue, what no scope covers by its name may have been allowed
/// by what it stands for; so only what was refused is told to lack a scope.
fn needs(draft: &Draft, trail: Trail<'_>, rights: Option<&Rights>) -> Vec<Need> {
    let found = trail.findings.map(Findings::noted).unwrap_or_default();
    let mut all: Vec<&rest::Need> = draft.needs.iter().collect();
    for need in found.iter().chain(draft.denied.as_ref().map(|denial| &denial.need)) {
        if !all.contains(&need) {
            all.push(need);
        }
    }
    let by_name_only = draft.cluster.as_ref().is_none_or(|cluster| cluster.names().is_none());
    let needs = all.into_iter().take(ENTRIES).map(|need| {
        let mut told = Need {
            action: need.action.to_string(),
            on: clip(&need.on.to_string(), NAME),
            because: Some(need.origin.reason().to_owned()),
            ..Need::default()
        };
        match rights.map(|rights| rights.allows(need)) {
            Some(Ok(scope)) => told.allowed_by = Some(clip(&scope.to_string(), NAME)),
            Some(Err(lacking)) => {
                let denied = draft.denied.as_ref();
                let refused = denied.is_some_and(|denied| by_name_only || denied.need == *need);
                told.would_allow = refused.then(|| clip(&lacking.would_allow.to_string(), NAME));
            }
            None => {}
        }
        told
    });
    needs.collect()
}

fn policies(draft: &Draft, trail: Trail<'_>) -> Option<Policies> {
    let (said, denial) = (trail.policies, draft.policy.as_ref());
    if said.is_none() && denial.is_none() {
        return None;
    }
    Some(Policies {
        refused: denial.map(|denial| clip(&denial.need.to_string(), TEXT)),
        permitted_by: names(said.into_iter().flat_map(|said| &said.permits)),
        forbidden_by: names(denial.into_iter().flat_map(|denial| &denial.forbids)),
        near: names(denial.into_iter().flat_map(|denial| &denial.near)),
        would_deny: said.and_then(|said| said.denied.as_ref()).map(|denial| clip(&denial.to_string(), TEXT)),
    })
}

fn engine(draft: &Draft, record: &Record) -> Option<Engine> {
    let identity = record.engine_identity.as_ref();
    if identity.is_none() && record.engine_status.is_none() {
        return None;
    }
    Some(Engine {
        identity: identity.map(|identity| identity.kind.to_string()),
        user: name(identity.map(|identity| &identity.user)),
        roles: names(identity.into_iter().flat_map(|identity| &*identity.roles)),
        status: record.engine_status,
        message: draft.message(),
        node: name(record.node.as_ref()),
    })
}

/// Mappings that the token does not meet and that would grant what it lacks.
fn other_mappings(draft: &Draft, mapper: &access::Mapper, view: &View<'_>) -> Vec<Cure> {
    let Some(denial) = &draft.denied else { return Vec::new() };
    let met: Vec<_> = mapper.met(view).collect();
    let others = mapper.mappings().iter().filter(|mapping| !met.contains(mapping));
    let ways = others.filter_map(|mapping| {
        let scope = mapping.grant.scopes.iter().find(|scope| scope.allows(&denial.need))?;
        let when = clip(&mapping.when.to_string(), TEXT / 4);
        Some(Cure::for_operators(format!("or what the mapping for `{when}` asks for: it grants {scope}")))
    });
    ways.take(WAYS).collect()
}
