//! An explanation as people read it: what was asked, then layer by layer what was said to it, and what would have allowed it.

use std::fmt::Write as _;

use explain::{Engine, Explanation, Layer, Need, Token, TokenKind};

use crate::error::printable;
use crate::output::moment;

/// What a layer said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Said {
    Yes,
    No,
    /// It was not asked, or nothing is known of it.
    Nothing,
}

/// The whole story.
pub(super) fn tell(explanation: &Explanation) -> String {
    let mut text = headline(explanation);
    for layer in Layer::ALL {
        let said = said(explanation, layer);
        let lines = lines(explanation, layer, said);
        // Where nothing was configured there is nothing to tell.
        if said == Said::Nothing && matches!(layer, Layer::RateLimit | Layer::Policy) {
            continue;
        }
        let mark = match said {
            Said::Yes => "✅",
            Said::No => "❌",
            Said::Nothing => "· ",
        };
        let mut lines = lines.iter();
        let silent = if said == Said::Nothing { "not asked" } else { "passed" };
        let first = lines.next().map_or(silent, String::as_str);
        let _ = writeln!(text, "{mark} {:<10} {first}", title(layer));
        for line in lines {
            let _ = writeln!(text, "{:14}{line}", "");
        }
    }
    ending(explanation, &mut text);
    text
}

fn title(layer: Layer) -> &'static str {
    match layer {
        Layer::Request => "Request",
        Layer::Token => "Token",
        Layer::RateLimit => "Rate limit",
        Layer::Scope => "Scopes",
        Layer::Policy => "Policies",
        Layer::Identity => "Identity",
        Layer::Engine => "Engine",
    }
}

fn headline(explanation: &Explanation) -> String {
    let Explanation { request, status, reason, at, .. } = explanation;
    let what = format!("{} {}", printable(&request.method), printable(&request.path));
    let cluster =
        request.cluster.as_deref().map(|name| format!(" on {}", printable(name))).unwrap_or_default();
    let how = match (explanation.is_allowed(), explanation.refused_by()) {
        (true, _) => "✅ Allowed".to_owned(),
        (false, Some(Layer::Engine)) if explanation.decision == explain::Verdict::Allow => {
            "❌ Refused by the engine".to_owned()
        }
        (false, _) if explanation.decision == explain::Verdict::Error => "❌ Failed".to_owned(),
        (false, _) => "❌ Refused".to_owned(),
    };
    let answered = status.map(|status| format!(", answered with {status}")).unwrap_or_default();
    let reason = reason.as_deref().map(|reason| format!(" ({})", printable(reason))).unwrap_or_default();
    let at = at.map(moment).unwrap_or_default();
    format!(
        "{how}: {what}{cluster}\n   {at}{answered}{reason}\n   decision {}\n\n",
        printable(&explanation.decision_id)
    )
}

fn said(explanation: &Explanation, layer: Layer) -> Said {
    if explanation.refused_by() == Some(layer) {
        return Said::No;
    }
    // The operation is told to known callers only, so a request can be refused for what it is after the token was accepted.
    let reached = match layer {
        Layer::Request => explanation.request.operation.is_some(),
        Layer::Token => explanation.token.is_some(),
        Layer::RateLimit => false,
        Layer::Scope => {
            let later = explanation.refused_by().is_some_and(|refused| refused > Layer::Scope);
            later || !explanation.scopes.permitted_by.is_empty()
        }
        Layer::Policy => explanation.policies.is_some(),
        Layer::Identity => explanation.engine.as_ref().is_some_and(|engine| engine.user.is_some()),
        Layer::Engine => explanation.engine.as_ref().is_some_and(|engine| engine.status.is_some()),
    };
    if reached { Said::Yes } else { Said::Nothing }
}

fn lines(explanation: &Explanation, layer: Layer, said: Said) -> Vec<String> {
    let mut lines = Vec::new();
    let refused = said == Said::No;
    let detail = explanation.detail.as_deref().filter(|_| refused).map(printable);
    match layer {
        Layer::Request => {
            let needs = explanation.needs.iter().filter(|need| !need.action.is_empty()).map(Need::to_string);
            let needs = printable(&needs.collect::<Vec<_>>().join(", "));
            lines.extend(detail);
            lines.extend(explanation.request.operation.as_deref().map(|operation| {
                let operation = printable(operation);
                if needs.is_empty() { operation } else { format!("{operation}: {needs}") }
            }));
        }
        Layer::Token => {
            lines.extend(detail);
            lines.extend(explanation.token.as_ref().map(token));
        }
        Layer::Scope => scopes(explanation, detail, &mut lines),
        Layer::Policy => policies(explanation, detail, &mut lines),
        Layer::RateLimit => lines.extend(detail),
        Layer::Identity => {
            lines.extend(detail);
            lines.extend(explanation.engine.as_ref().and_then(identity));
        }
        Layer::Engine => {
            lines.extend(detail);
            if let Some(Engine { status: Some(status), message, node, .. }) = &explanation.engine {
                let node = node.as_deref().map(|node| format!(" by {}", printable(node))).unwrap_or_default();
                lines.push(format!("answered with {status}{node}"));
                lines.extend(message.as_deref().map(|message| format!("“{}”", printable(message))));
            }
        }
    }
    if refused {
        lines.extend(explanation.cause.as_deref().map(|cause| format!("because: {}", printable(cause))));
    }
    lines
}

fn token(token: &Token) -> String {
    let who = match (&token.user_id, &token.client_id) {
        (Some(user), Some(client)) => format!("{}, through {}", printable(user), printable(client)),
        (Some(user), None) => printable(user),
        (None, Some(client)) => format!("the client {}", printable(client)),
        (None, None) => printable(token.subject.as_deref().unwrap_or("somebody")),
    };
    let of = match token.kind {
        TokenKind::Provider => token.provider.as_deref().map(|name| format!(", by {}", printable(name))),
        TokenKind::Managed => token.id.as_deref().map(|id| format!(", managed token {}", printable(id))),
    };
    let end = token.expires_at.map(|end| format!(", until {}", moment(end))).unwrap_or_default();
    format!("of {who}{}{end}", of.unwrap_or_default())
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| printable(name)).collect::<Vec<_>>().join(", ")
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{}`", printable(name))).collect::<Vec<_>>().join(", ")
}

fn scopes(explanation: &Explanation, detail: Option<String>, lines: &mut Vec<String>) {
    let scopes = &explanation.scopes;
    lines.extend(detail);
    for need in explanation.needs.iter().filter(|need| !need.action.is_empty()) {
        let because = need
            .because
            .as_deref()
            .map(|because| format!(", since {}", printable(because)))
            .unwrap_or_default();
        let asked = printable(&need.to_string());
        match (&need.allowed_by, &need.would_allow) {
            (Some(scope), _) => lines.push(format!("✅ {asked}: {}", printable(scope))),
            (None, Some(scope)) => {
                lines.push(format!("❌ {asked}{because}: would take {}", printable(scope)));
            }
            (None, None) => {}
        }
    }
    if lines.is_empty() && !scopes.permitted_by.is_empty() {
        lines.push(listed(&scopes.permitted_by));
    }
    if !scopes.held.is_empty() {
        lines.push(format!("held here: {}", listed(&scopes.held)));
    }
    if !scopes.token.is_empty() {
        lines.push(format!("in the token: {}", listed(&scopes.token)));
    }
    for mapping in &explanation.mappings {
        let grants = [listed(&mapping.scopes), roles(&mapping.roles)];
        let grants: Vec<&str> =
            grants.iter().map(String::as_str).filter(|grants| !grants.is_empty()).collect();
        lines.push(format!("mapping for {}: {}", printable(&mapping.when), grants.join("; ")));
    }
    for (claim, values) in &explanation.claims {
        let values = if values.is_empty() { "none".to_owned() } else { listed(values) };
        lines.push(format!("claim {}: {values}", printable(claim)));
    }
}

fn roles(roles: &[String]) -> String {
    if roles.is_empty() { String::new() } else { format!("engine roles {}", listed(roles)) }
}

fn policies(explanation: &Explanation, detail: Option<String>, lines: &mut Vec<String>) {
    lines.extend(detail);
    let Some(policies) = &explanation.policies else { return };
    if !policies.permitted_by.is_empty() {
        lines.push(format!("permitted by {}", quoted(&policies.permitted_by)));
    }
    if !policies.forbidden_by.is_empty() {
        lines.push(format!("forbidden by {}", quoted(&policies.forbidden_by)));
    }
    if let Some(would_deny) = &policies.would_deny {
        lines.push(format!("on trial: {}", printable(would_deny)));
    }
    if lines.is_empty() {
        lines.push("nothing to say".to_owned());
    }
}

fn identity(engine: &Engine) -> Option<String> {
    let user = engine.user.as_deref()?;
    let kind = engine.identity.as_deref().map(|kind| format!(" ({})", printable(kind))).unwrap_or_default();
    let roles = if engine.roles.is_empty() {
        String::new()
    } else {
        format!(", backend roles {}", listed(&engine.roles))
    };
    Some(format!("the engine sees {}{kind}{roles}", printable(user)))
}

fn ending(explanation: &Explanation, text: &mut String) {
    if explanation.would_allow.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nWhat would have allowed it:");
    for cure in &explanation.would_allow {
        let _ = writeln!(text, "  • {}\n    ask: {}", printable(&cure.what), printable(&cure.ask));
    }
    if let Some(contact) = &explanation.contact {
        let _ = writeln!(text, "Begin with: {}", printable(contact));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(value: serde_json::Value) -> String {
        tell(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn a_refusal_by_scope() {
        let told = told(json!({
            "decision_id": "0193f0e2-8c1b-7d6e-9a55-3f1f0d1c2b3a", "at": "2026-11-24T10:00:00.5Z", "decision": "deny", "layer": "scope",
            "reason": "insufficient_scope", "detail": "read on secret is outside", "status": 403,
            "request": {"method": "GET", "path": "/logs-1,secret/_search", "cluster": "main", "operation": "search", "action": "read"},
            "token": {"kind": "provider", "provider": "keycloak", "client_id": "agent\u{1b}[31m", "expires_at": "2026-11-24T11:00:00Z"},
            "scopes": {"token": ["logs.reader"], "held": ["read:logs-*"]},
            "mappings": [{"when": "scope logs.reader", "scopes": ["read:logs-*"], "roles": ["logs"]}],
            "claims": {"team.name": ["serach"]},
            "needs": [
                {"action": "read", "on": "logs-1", "because": "the path names it", "allowed_by": "read:logs-*"},
                {"action": "read", "on": "secret", "because": "the path names it", "would_allow": "read:secret"},
            ],
            "would_allow": [{"what": "the scope read:secret, or a wider one", "ask": "who manages it"}],
            "contact": "#search-help",
        }));
        let expected = "\
❌ Refused: GET /logs-1,secret/_search on main
   2026-11-24T10:00:00Z, answered with 403 (insufficient_scope)
   decision 0193f0e2-8c1b-7d6e-9a55-3f1f0d1c2b3a

✅ Request    search: read on logs-1, read on secret
✅ Token      of the client agent [31m, by keycloak, until 2026-11-24T11:00:00Z
❌ Scopes     read on secret is outside
              ✅ read on logs-1: read:logs-*
              ❌ read on secret, since the path names it: would take read:secret
              held here: read:logs-*
              in the token: logs.reader
              mapping for scope logs.reader: read:logs-*; engine roles logs
              claim team.name: serach
·  Identity   not asked
·  Engine     not asked

What would have allowed it:
  • the scope read:secret, or a wider one
    ask: who manages it
Begin with: #search-help
";
        assert_eq!(told, expected);
    }

    #[test]
    fn each_layer_has_its_mark() {
        let refused = |layer: &str| {
            told(json!({
                "decision": "deny", "layer": layer, "detail": "the detail", "token": {"user_id": "ann"},
                "request": {"operation": "search"}, "scopes": {"permitted_by": ["read:*"]},
                "policies": {"permitted_by": ["all"], "forbidden_by": ["none"]},
            }))
        };
        for (layer, title) in [
            ("request", "Request"),
            ("token", "Token"),
            ("rate_limit", "Rate limit"),
            ("scope", "Scopes"),
            ("policy", "Policies"),
            ("identity", "Identity"),
            ("engine", "Engine"),
        ] {
            let told = refused(layer);
            let line = told.lines().find(|line| line.contains(title)).unwrap();
            assert!(line.starts_with('❌') && line.ends_with("the detail"), "{layer}: {line}");
            assert_eq!(told.matches("\n❌").count(), 1, "{layer}: {told}");
        }
    }

    #[test]
    fn the_engines_refusal_and_what_was_allowed() {
        let of = |layer: serde_json::Value| {
            told(json!({
                "decision": "allow", "layer": layer, "status": 200, "request": {"method": "GET", "path": "/x/_search"},
                "engine": {"identity": "signed_jwt", "user": "ann", "roles": ["logs"], "status": 403, "message": "no permissions"},
            }))
        };
        let refused = of(json!("engine"));
        assert!(refused.starts_with("❌ Refused by the engine: GET /x/_search"), "{refused}");
        assert!(
            refused.contains("✅ Identity   the engine sees ann (signed_jwt), backend roles logs"),
            "{refused}"
        );
        assert!(refused.contains("“no permissions”"), "{refused}");
        assert!(of(json!(null)).starts_with("✅ Allowed: GET /x/_search"));
    }
}
