//! The page about explanations tells of every member that programs can meet.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use explain::{
    Cure, Engine, Explanation, Mapping, Need, Policies, Request, Scopes, Token, TokenKind, Verdict,
};
use serde_json::Value;

#[expect(clippy::unnecessary_wraps, reason = "the members that it fills are optional")]
fn text() -> Option<String> {
    Some("x".to_owned())
}

fn texts() -> Vec<String> {
    vec!["x".to_owned()]
}

/// An explanation with everything in it.
fn full() -> Explanation {
    Explanation {
        decision_id: "d".to_owned(),
        request_id: "r".to_owned(),
        at: Some("2026-11-24T10:00:00Z".parse().unwrap()),
        decision: Verdict::Deny,
        layer: text(),
        reason: text(),
        detail: text(),
        cause: text(),
        status: Some(403),
        request: Request {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            cluster: text(),
            upstream: text(),
            operation: text(),
            action: text(),
            source: text(),
        },
        token: Some(Token {
            kind: TokenKind::Managed,
            id: text(),
            provider: text(),
            issuer: text(),
            subject: text(),
            client_id: text(),
            user_id: text(),
            issued_at: Some("2026-11-24T10:00:00Z".parse().unwrap()),
            expires_at: Some("2026-11-24T10:00:00Z".parse().unwrap()),
        }),
        claims: std::iter::once(("contact".to_owned(), texts())).collect(),
        mappings: vec![Mapping {
            when: "x".to_owned(),
            scopes: texts(),
            roles: texts(),
            backend_user: text(),
            tenant: text(),
        }],
        scopes: Scopes { token: texts(), held: texts(), permitted_by: texts() },
        needs: vec![Need {
            action: "read".to_owned(),
            on: "x".to_owned(),
            because: text(),
            allowed_by: text(),
            would_allow: text(),
        }],
        policies: Some(Policies {
            refused: text(),
            permitted_by: texts(),
            forbidden_by: texts(),
            near: texts(),
            would_deny: text(),
        }),
        engine: Some(Engine {
            identity: text(),
            user: text(),
            roles: texts(),
            status: Some(403),
            message: text(),
            node: text(),
        }),
        would_allow: vec![Cure::for_operators("x")],
        contact: text(),
    }
}

fn members(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                found.insert(name.clone());
                members(inner, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, found)),
        _ => {}
    }
}

#[test]
fn every_member_is_told_of() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/why-refused.md"))
            .unwrap();
    let (_, table) = page.split_once("## For programs").unwrap();
    let value = serde_json::to_value(full()).unwrap();
    let mut found = BTreeSet::new();
    members(&value, &mut found);
    let missing: Vec<_> = found.iter().filter(|name| !table.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/why-refused.md does not tell of {missing:?}");
    assert!(found.len() > 50, "{found:?}");
}

#[test]
fn what_is_written_is_read_back() {
    let value = serde_json::to_value(full()).unwrap();
    let read: Explanation = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), value);
    // Of a proxy that knows less, and of one that knows more.
    let read: Explanation = serde_json::from_str(r#"{"decision_id": "d", "later": {"x": 1}}"#).unwrap();
    assert_eq!((read.decision_id.as_str(), read.decision), ("d", Verdict::Error));
}
