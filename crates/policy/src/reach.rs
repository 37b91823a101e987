//! Tests of indices, and of types and workspaces of saved objects, rewritten to the side on which they must err.
//!
//! Worked out on Cedar's JSON form of a policy (Cedar documentation, "JSON policy format").

use rest::{Resource, Target};
use serde_json::{Value, json};

use crate::{decide::EntityType, schema};

const INDEX: &str = "Index";

/// Why a policy's tests of indices cannot be judged for patterns.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ReachError {
    /// Neither side is safe.
    #[error(
        "it cannot be told on which side this test of an index, type or workspace must err when a request asks for several"
    )]
    Side,
    /// No pattern of index names.
    #[error("Index::{0:?} is no index and no pattern: {1}")]
    Pattern(String, String),
    /// Not the JSON form that is documented.
    #[error("the policy has a form that is not understood")]
    Form,
}

impl ReachError {
    /// What to do.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::Side => {
                "write such tests as `resource in Index::\"…\"`, joined by &&, || and ! only, and not inside of the condition of an `if`"
            }
            Self::Pattern(..) => "one name or pattern, such as logs-*, or cluster:logs-* for a remote one",
            Self::Form => "leave out what is not plain Cedar",
        }
    }
}

/// The patterns that a policy names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    /// Those that what is asked must lie inside of.
    pub(crate) inside: Vec<Target>,
    /// Those that it may touch.
    pub(crate) touched: Vec<Target>,
    /// The types of saved objects, and the workspaces, that it may touch, as entities of the twins.
    pub(crate) twins: Vec<(EntityType, String)>,
}

/// The policy with every test of an index on the safe side.
pub(crate) fn rewrite(mut policy: Value) -> Result<(Value, Patterns), ReachError> {
    let mut work = Work { patterns: Patterns::default() };
    // A permit must not hold for too much, a forbid not for too little.
    let side = match policy.get("effect").and_then(Value::as_str) {
        Some("permit") => Side::Inside,
        Some("forbid") => Side::Touched,
        _ => return Err(ReachError::Form),
    };
    if let Some(scope) = policy.get_mut("resource") {
        work.scope(scope, side)?;
    }
    for condition in policy.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
        let side =
            if condition.get("kind").and_then(Value::as_str) == Some("unless") { side.other() } else { side };
        let body = condition.get_mut("body").ok_or(ReachError::Form)?;
        work.expression(body, side)?;
    }
    for part in ["principal", "action"] {
        if policy.get(part).is_some_and(names_several) {
            return Err(ReachError::Side);
        }
    }
    Ok((policy, work.patterns))
}

/// Which way a test errs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    /// Holds for what surely lies inside.
    Inside,
    /// Holds for what may touch.
    Touched,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Inside => Self::Touched,
            Self::Touched => Self::Inside,
        }
    }
}

struct Work {
    patterns: Patterns,
}

impl Work {
    /// The `resource` part of a policy's head.
    fn scope(&mut self, scope: &mut Value, side: Side) -> Result<(), ReachError> {
        let place = if scope.get("in").is_some() { "/in/entity" } else { "/entity" };
        if scope.get("slot").is_some() || scope.pointer("/in/slot").is_some() {
            return Err(ReachError::Form);
        }
        let equals = scope.get("op").and_then(Value::as_str) == Some("==");
        let Some(entity) = scope.pointer_mut(place) else {
            return Ok(());
        };
        if can_be_several(entity) && self.entity(entity, side)? && equals {
            scope["op"] = json!("in");
        }
        Ok(())
    }

    fn expression(&mut self, expression: &mut Value, side: Side) -> Result<(), ReachError> {
        if !names_several(expression) {
            return Ok(());
        }
        let Some((operator, _)) = expression.as_object().and_then(|object| object.iter().next()) else {
            return Err(ReachError::Side);
        };
        match operator.clone().as_str() {
            operator @ ("&&" | "||") => {
                self.expression(part(expression, operator, "left")?, side)?;
                self.expression(part(expression, operator, "right")?, side)
            }
            "!" => self.expression(part(expression, "!", "arg")?, side.other()),
            operator @ "if-then-else" => {
                if names_several(part(expression, operator, "if")?) {
                    return Err(ReachError::Side);
                }
                self.expression(part(expression, operator, "then")?, side)?;
                self.expression(part(expression, operator, "else")?, side)
            }
            "in" => self.test(expression, "in", "right", side),
            "is" => self.test(expression, "is", "in", side),
            "==" => {
                let twin = side == Side::Touched;
                self.test(expression, "==", "right", side)?;
                if twin {
                    let inner = expression["=="].take();
                    *expression = json!({ "in": inner });
                }
                Ok(())
            }
            "!=" => {
                let inner = expression["!="].take();
                *expression = json!({ "!": { "arg": { "==": inner } } });
                self.expression(expression, side)
            }
            _ => Err(ReachError::Side),
        }
    }

    /// `resource in …` and the like.
    fn test(
        &mut self,
        expression: &mut Value,
        operator: &str,
        right: &str,
        side: Side,
    ) -> Result<(), ReachError> {
        let left = part(expression, operator, "left")?;
        if left.get("Var").and_then(Value::as_str) != Some("resource") {
            return Err(ReachError::Side);
        }
        let right = part(expression, operator, right)?;
        if let Some(members) = right.get_mut("Set").and_then(Value::as_array_mut) {
            if operator == "==" {
                return Err(ReachError::Side);
            }
            return members.iter_mut().try_for_each(|member| self.literal(member, side));
        }
        self.literal(right, side)
    }

    fn literal(&mut self, literal: &mut Value, side: Side) -> Result<(), ReachError> {
        if !names_several(literal) {
            return Ok(());
        }
        let entity = literal.pointer_mut("/Value/__entity").filter(|entity| can_be_several(entity));
        self.entity(entity.ok_or(ReachError::Side)?, side).map(|_| ())
    }

    /// Rewrites an entity; whether it became the twin.
    fn entity(&mut self, entity: &mut Value, side: Side) -> Result<bool, ReachError> {
        let text = |key| entity.get(key).and_then(Value::as_str).ok_or(ReachError::Form);
        let (kind, id) = (text("type")?, text("id")?.to_owned());
        let twin = schema::twin(kind).ok_or(ReachError::Form)?;
        let touched = side == Side::Touched;
        if kind == INDEX {
            let target: Target = id
                .parse()
                .map_err(|error: rest::TargetError| ReachError::Pattern(id.clone(), error.to_string()))?;
            // As everything that is asked for is written, too.
            entity["id"] = json!(Resource::Index(target.clone()).to_string());
            let patterns = if touched { &mut self.patterns.touched } else { &mut self.patterns.inside };
            patterns.push(target);
        } else if touched {
            self.patterns.twins.push((twin, id));
        }
        if touched {
            entity["type"] = json!(twin.as_str());
        }
        Ok(touched)
    }
}

fn part<'v>(expression: &'v mut Value, operator: &str, name: &str) -> Result<&'v mut Value, ReachError> {
    expression.get_mut(operator).and_then(|inner| inner.get_mut(name)).ok_or(ReachError::Form)
}

/// Whether it is of a type of which a request can be for several.
fn can_be_several(entity: &Value) -> bool {
    entity.get("type").and_then(Value::as_str).is_some_and(|kind| schema::twin(kind).is_some())
}

/// Whether such an entity stands anywhere in it.
fn names_several(value: &Value) -> bool {
    match value {
        Value::Object(object) => {
            can_be_several(value) && object.contains_key("id") || object.values().any(names_several)
        }
        Value::Array(items) => items.iter().any(names_several),
        _ => false,
    }
}
