use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// What the schema says of a file in a list that is read.
pub(crate) struct ReadFileForm;

impl JsonSchema for ReadFileForm {
    fn schema_name() -> Cow<'static, str> {
        "ReadFile".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-file": "read" })
    }
}
