//! Texts that the schema says are claim paths.

use claims::ClaimPath;
use serde_json::Value;

use super::view::View;
use crate::{report::Findings, tree::At};

/// Reports what is no claim path, and puts one in its place, so that the section around it can be read and checked.
pub(super) fn check(schema: View<'_>, value: &mut Value, at: &At, findings: &mut Findings<'_>) {
    let Value::String(text) = value else {
        return;
    };
    if schema.text("format") != Some("claim-path") {
        return;
    }
    let Err(error) = text.parse::<ClaimPath>() else {
        return;
    };
    findings.error_without_trace(
        at,
        format!("`{text}` is not a claim path: {error}"),
        "join names by dots, as in `realm_access.roles`; put a name that holds a dot or a slash in double quotes within \
         single ones, as in '\"https://example.com/groups\"'",
    );
    "sub".clone_into(text);
}
