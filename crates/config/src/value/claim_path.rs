use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// What the schema says of a [`claims::ClaimPath`].
pub(crate) struct ClaimPathForm;

impl JsonSchema for ClaimPathForm {
    fn schema_name() -> Cow<'static, str> {
        "ClaimPath".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "claim-path",
            "x-form": "a claim path such as `realm_access.roles`",
        })
    }
}
