//! Durations and sizes within the schema's `x-min` and `x-max`.

use std::fmt::Display;

use serde_json::Value;

use super::view::View;
use crate::{
    report::Findings,
    tree::At,
    value::{ByteSize, Duration},
};

pub(super) fn check(schema: View<'_>, value: &Value, at: &At, findings: &mut Findings<'_>) {
    let (Some(least), Some(most)) = (schema.text("x-min"), schema.text("x-max")) else {
        return;
    };
    if findings.is_broken(at) {
        return;
    }
    let problem = if schema.is("integer") {
        match value {
            Value::String(text) => within::<ByteSize>(text, least, most),
            Value::Number(number) => within::<ByteSize>(&number.to_string(), least, most),
            _ => None,
        }
    } else {
        value.as_str().and_then(|text| within::<Duration>(text, least, most))
    };
    if let Some(message) = problem {
        findings.error(at, message, format!("choose a value from {least} to {most}"));
    }
}

fn within<T>(text: &str, least: &str, most: &str) -> Option<String>
where
    T: std::str::FromStr<Err: Display> + PartialOrd,
{
    match text.parse::<T>() {
        Err(error) => Some(error.to_string()),
        Ok(value) if least.parse().is_ok_and(|least| value < least) => Some(format!("{text} is too little")),
        Ok(value) if most.parse().is_ok_and(|most| value > most) => Some(format!("{text} is too much")),
        Ok(_) => None,
    }
}
