//! Tokens as people see them.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use crate::error::printable;
use crate::output::{moment, rough};

/// A table with a line for each token.
pub(super) fn table(tokens: &[Value], now: Timestamp) -> String {
    let head = ["TOKEN ID", "NAME", "STATUS", "EXPIRES", "LAST USED", "OWNER", "SCOPES"].map(str::to_owned);
    let rows: Vec<[String; 7]> =
        std::iter::once(head).chain(tokens.iter().map(|token| row(token, now))).collect();
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn row(token: &Value, now: Timestamp) -> [String; 7] {
    let text = |value: &Value| value.as_str().map_or_else(|| "-".to_owned(), printable);
    [
        text(&token["token_id"]),
        text(&token["name"]),
        text(&token["status"]),
        relative(&token["expires_at"], now),
        relative(&token["last_used"]["at"], now),
        party(&token["owner"]),
        list(&token["scopes"]),
    ]
}

/// Everything about one token.
pub(super) fn details(token: &Value) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() && value != "-" {
            let _ = writeln!(text, "{:<14}{value}", format!("{name}:"));
        }
    };
    let plain = |name: &str| token[name].as_str().map(printable).unwrap_or_default();
    let time = |value: &Value| value.as_str().and_then(|at| at.parse().ok()).map(moment).unwrap_or_default();
    line("Token id", plain("token_id"));
    line("Name", plain("name"));
    line("Description", plain("description"));
    line("Status", plain("status"));
    line("Scopes", list(&token["scopes"]));
    line("Clusters", list(&token["clusters"]));
    line("Owner", party(&token["owner"]));
    line("Created", format!("{} by {}", time(&token["created_at"]), party(&token["created_by"])));
    line("Expires", time(&token["expires_at"]));
    line("Decide by", time(&token["decide_by"]));
    let used = &token["last_used"];
    let address =
        used["address"].as_str().map(|address| format!(" from {}", printable(address))).unwrap_or_default();
    line(
        "Last used",
        if used.is_null() { "never".to_owned() } else { format!("{}{address}", time(&used["at"])) },
    );
    line("Policy", plain("policy"));
    for name in ["approved", "denied", "revoked"] {
        let decision = &token[name];
        if decision.is_object() {
            let reason =
                decision["reason"].as_str().map(|why| format!(": {}", printable(why))).unwrap_or_default();
            let title = format!("{}{}", name[..1].to_ascii_uppercase(), &name[1..]);
            line(&title, format!("{} by {}{reason}", time(&decision["at"]), party(&decision["by"])));
        }
    }
    line("Rotated from", plain("rotated_from"));
    line("Rotated to", plain("rotated_to"));
    for (name, value) in token["metadata"].as_object().into_iter().flatten() {
        line(
            "Metadata",
            format!("{} = {}", printable(name), value.as_str().map(printable).unwrap_or_default()),
        );
    }
    text
}

/// The name that says most.
pub(in crate::commands) fn party(party: &Value) -> String {
    let names = ["user", "client_id", "subject"].into_iter().find_map(|name| party[name].as_str());
    names.map_or_else(|| "-".to_owned(), printable)
}

pub(super) fn list(values: &Value) -> String {
    let texts: Vec<String> =
        values.as_array().into_iter().flatten().filter_map(Value::as_str).map(printable).collect();
    if texts.is_empty() { "-".to_owned() } else { texts.join(", ") }
}

fn relative(at: &Value, now: Timestamp) -> String {
    let Some(at) = at.as_str().and_then(|at| at.parse::<Timestamp>().ok()) else {
        return "-".to_owned();
    };
    if at > now {
        format!("in {}", rough(at.duration_since(now)))
    } else {
        format!("{} ago", rough(now.duration_since(at)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_told_by_its_columns() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let tokens = [
            json!({
                "token_id": "tok_a", "name": "nightly", "status": "active", "expires_at": "2026-01-02T00:00:00Z",
                "last_used": {"at": "2025-12-31T23:00:00Z"}, "owner": {"subject": "s", "client_id": "fluent-bit"},
                "scopes": ["read:logs-*", "read:metrics-*"],
            }),
            json!({
                "token_id": "tok_bb", "status": "expired", "expires_at": "2025-12-30T00:00:00Z",
                "owner": {"subject": "s", "user": "ann\u{1b}[0m"}, "scopes": [],
            }),
        ];
        let expected = "\
TOKEN ID  NAME     STATUS   EXPIRES  LAST USED  OWNER       SCOPES
tok_a     nightly  active   in 24h   1h ago     fluent-bit  read:logs-*, read:metrics-*
tok_bb    -        expired  2d ago   -          ann [0m     -
";
        assert_eq!(table(&tokens, now), expected);
    }
}
