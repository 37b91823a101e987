//! What an audit record tells of a decision.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use explain::{Engine, Explanation, Need, Policies, Request, Scopes, Token, TokenKind, Verdict};
use jiff::Timestamp;
use serde::Deserialize;

use crate::error::{Error, Result};

/// The fields of a record that an explanation is made from.
#[derive(Debug, Deserialize)]
struct Record {
    timestamp: Timestamp,
    request_id: String,
    decision_id: String,
    decision: Verdict,
    layer: Option<String>,
    reason: Option<String>,
    detail: Option<String>,
    needed_scope: Option<String>,
    #[serde(default)]
    permitted_by: Vec<String>,
    #[serde(default)]
    policies: Vec<String>,
    policy_would_deny: Option<String>,
    client_id: Option<String>,
    user_id: Option<String>,
    subject: Option<String>,
    issuer: Option<String>,
    provider: Option<String>,
    token_id: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    token_issued_at: Option<Timestamp>,
    action: Option<String>,
    operation: Option<String>,
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    needs: Vec<String>,
    cluster: Option<String>,
    upstream: Option<String>,
    method: String,
    path: String,
    engine_identity: Option<EngineIdentity>,
    status: Option<u16>,
    engine_status: Option<u16>,
    node: Option<String>,
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct EngineIdentity {
    kind: String,
    user: String,
    #[serde(default)]
    roles: Vec<String>,
}

/// The decision with this id, from the first of the files that has it.
pub(super) fn find(id: &str, files: &[PathBuf]) -> Result<Explanation> {
    for file in files {
        if let Some(record) = look(id, file)? {
            return Ok(record.explanation());
        }
    }
    Err(Error::refused("none of the files has a record with this decision id")
        .cure("rotated files count too: --audit audit.jsonl --audit audit.jsonl.1"))
}

fn look(id: &str, path: &Path) -> Result<Option<Record>> {
    let failed = |error| Error::outside(format!("{} cannot be read: {error}", path.display()));
    for line in BufReader::new(File::open(path).map_err(failed)?).split(b'\n') {
        let line = line.map_err(failed)?;
        // A line that a crash has torn is no record.
        let record: Option<Record> = if holds(&line, id) { serde_json::from_slice(&line).ok() } else { None };
        if let Some(record) = record.filter(|record| record.decision_id == id) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Most lines are about something else, which needs no reading of JSON.
fn holds(line: &[u8], id: &str) -> bool {
    line.windows(id.len()).any(|part| part == id.as_bytes())
}

impl Record {
    fn explanation(self) -> Explanation {
        let needs = self.needs();
        let token = self.subject.is_some().then(|| Token {
            kind: if self.token_id.as_deref().is_some_and(|id| id.starts_with("tok_")) {
                TokenKind::Managed
            } else {
                TokenKind::Provider
            },
            id: self.token_id,
            provider: self.provider,
            issuer: self.issuer,
            subject: self.subject,
            client_id: self.client_id,
            user_id: self.user_id,
            issued_at: self.token_issued_at,
            expires_at: None,
        });
        let policies = (!self.policies.is_empty() || self.policy_would_deny.is_some()).then(|| Policies {
            permitted_by: self.policies,
            would_deny: self.policy_would_deny,
            ..Policies::default()
        });
        let asked = self.engine_identity.is_some() || self.engine_status.is_some();
        let identity = self.engine_identity;
        let engine = asked.then(|| Engine {
            identity: identity.as_ref().map(|identity| identity.kind.clone()),
            user: identity.as_ref().map(|identity| identity.user.clone()),
            roles: identity.map(|identity| identity.roles).unwrap_or_default(),
            status: self.engine_status,
            message: None,
            node: self.node,
        });
        let mut explanation = Explanation {
            decision_id: self.decision_id,
            request_id: self.request_id,
            at: Some(self.timestamp),
            decision: self.decision,
            layer: self.layer,
            reason: self.reason,
            detail: self.detail,
            status: self.status,
            request: Request {
                method: self.method,
                path: self.path,
                cluster: self.cluster,
                upstream: self.upstream,
                operation: self.operation,
                action: self.action,
                source: self.source,
            },
            token,
            scopes: Scopes { token: self.scopes, held: Vec::new(), permitted_by: self.permitted_by },
            needs,
            policies,
            engine,
            ..Explanation::default()
        };
        explanation.would_allow = explanation.cures();
        explanation
    }

    fn needs(&self) -> Vec<Need> {
        let need =
            |action: &str, on: &str| Need { action: action.to_owned(), on: on.to_owned(), ..Need::default() };
        let mut needs: Vec<Need> = if self.needs.is_empty() {
            let action = self.action.as_deref().unwrap_or_default();
            self.targets.iter().map(|target| need(action, target)).collect()
        } else {
            self.needs
                .iter()
                .filter_map(|text| text.split_once(' '))
                .map(|(action, on)| need(action, on))
                .collect()
        };
        if let Some(scope) = &self.needed_scope {
            // As it ends a scope, with or without the name of a cluster before it.
            let lacks = |need: &Need| {
                let exact = format!("{}:{}", need.action, need.on);
                *scope == exact || scope.ends_with(&format!("/{exact}"))
            };
            match needs.iter_mut().find(|need| lacks(need)) {
                Some(need) => need.would_allow = Some(scope.clone()),
                None => needs.push(Need { would_allow: Some(scope.clone()), ..need("", scope) }),
            }
        }
        needs
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde_json::json;

    use super::*;

    const ID: &str = "0193f0e2-8c1b-7d6e-9a55-3f1f0d1c2b3a";

    fn record(more: &serde_json::Value) -> String {
        let mut record = json!({
            "event": "request", "timestamp": "2026-11-24T10:00:00.000000Z", "request_id": "r", "decision_id": ID, "decision": "deny",
            "method": "GET", "path": "/secret/_search", "outcome": "complete", "request_bytes": 0, "response_bytes": 9,
            "duration_us": 1, "http_version": "HTTP/2", "layer": "scope", "reason": "insufficient_scope",
            "detail": "read on secret is outside", "subject": "ann", "provider": "keycloak", "status": 403,
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record.to_string()
    }

    fn found(lines: &[String]) -> Result<Explanation> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(lines.join("\n").as_bytes()).unwrap();
        find(ID, &[file.path().to_owned()])
    }

    #[test]
    fn a_record_is_found_among_others_and_told() {
        let other = record(&json!({"decision_id": "another", "detail": ID}));
        let torn = format!("{{\"decision_id\": \"{ID}\"");
        let this = record(&json!({
            "action": "read", "targets": ["logs-1", "secret"], "needed_scope": "main/read:secret", "scopes": ["read:logs-*"],
        }));
        let told = found(&[other.clone(), torn.clone(), this]).unwrap();
        let needs: Vec<_> =
            told.needs.iter().map(|need| (need.to_string(), need.would_allow.clone())).collect();
        let expected = [
            ("read on logs-1".to_owned(), None),
            ("read on secret".to_owned(), Some("main/read:secret".to_owned())),
        ];
        assert_eq!(needs, expected);
        assert!(told.would_allow[0].what.contains("main/read:secret"));
        assert!(found(&[other, torn]).is_err());
    }

    #[test]
    fn mixed_needs_and_the_engines_part() {
        let this = record(&json!({
            "decision": "allow", "layer": "engine", "reason": "engine_denied", "action": "write", "targets": ["a", "b"],
            "needs": ["read a", "write b"], "engine_status": 403, "token_id": "tok_x",
            "engine_identity": {"kind": "signed_jwt", "user": "ann", "roles": ["logs"]},
        }));
        let told = found(&[this]).unwrap();
        assert_eq!(
            told.needs.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["read on a", "write on b"]
        );
        assert_eq!(told.token.unwrap().kind, TokenKind::Managed);
        assert_eq!(told.engine.unwrap().roles, ["logs"]);
        assert!(told.would_allow[0].what.contains("mapped to the backend role logs"));
    }
}
