use std::borrow::Cow;

use rest::Action;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// What the schema says of an [`Action`].
pub(crate) struct ActionForm;

impl JsonSchema for ActionForm {
    fn schema_name() -> Cow<'static, str> {
        "Action".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": Action::ALL.map(Action::as_str) })
    }
}
