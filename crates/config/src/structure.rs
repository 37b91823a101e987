//! The document against the JSON schema: unknown keys, wrong types, missing values, values out of bounds.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;
use url::Url;

use crate::{report::Findings, tree::At};

mod bounds;
mod claim_paths;
mod explain;
pub(crate) mod similar;
pub(crate) mod view;

pub(crate) use self::explain::list;
use self::view::View;

/// The schema, generated once.
pub(crate) static SCHEMA: LazyLock<Value> = LazyLock::new(crate::schema);

static VALIDATOR: LazyLock<Option<Validator>> = LazyLock::new(|| {
    jsonschema::options()
        .with_format("uri", is_web_url)
        .with_format("socket-address", |text: &str| text.parse::<std::net::SocketAddr>().is_ok())
        .should_validate_formats(true)
        .build(&SCHEMA)
        .ok()
});

/// Checks `document`, and makes it ready to become the model: sections without a value become empty ones, unknown keys
/// are taken out once they have been reported.
pub(crate) fn check(document: &mut Value, findings: &mut Findings<'_>) {
    view::walk(View::root(&SCHEMA), document, &At::default(), &mut |schema, value, _| fill(schema, value));
    // The model is checked by serde all the same; a test builds the validator.
    if let Some(validator) = &*VALIDATOR {
        let unknown = {
            let errors: Vec<_> = validator.iter_errors(document).collect();
            explain::explain(document, &errors, findings)
        };
        for at in unknown {
            view::remove(document, &at);
        }
    }
    view::walk(View::root(&SCHEMA), document, &At::default(), &mut |schema, value, at| {
        bounds::check(schema, value, at, findings);
        claim_paths::check(schema, value, at, findings);
    });
}

/// `limits:` with all its lines commented out means the same as no `limits` at all.
fn fill(schema: View<'_>, value: &mut Value) {
    if !value.is_null() || schema.allows_null() {
        return;
    }
    let schema = schema.target();
    if schema.is("object") && schema.get("required").is_none() && schema.get("minProperties").is_none() {
        *value = Value::Object(serde_json::Map::new());
    } else if schema.is("array") && schema.get("minItems").is_none() {
        *value = Value::Array(Vec::new());
    }
}

fn is_web_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    #[test]
    fn schema_is_a_valid_schema() {
        assert!(super::VALIDATOR.is_some());
    }
}
