//! Policies as they are read from files.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    str::FromStr as _,
    sync::Arc,
};

use cedar_policy::{
    ActionConstraint, EntityTypeName, EntityUid, Policy, PolicyId, PrincipalConstraint, Schema,
    ValidationMode, Validator,
};

use serde_json::Value;

use crate::{
    Fault,
    cache::Decisions,
    reach::{self, Patterns},
    schema,
    slice::Slices,
};

/// A file of policies.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name, for faults and as the first part of the ids of its policies.
    pub name: String,
    /// Its text, in Cedar.
    pub text: String,
}

/// Policies that are well-formed, of the schema's types, and on the safe side for patterns.
#[derive(Debug)]
pub struct PolicySet {
    pub(crate) policies: Box<[Ready]>,
    pub(crate) by_asker: ByAsker,
    pub(crate) slices: Slices,
    pub(crate) decisions: Decisions,
}

/// A policy ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) id: Arc<str>,
    pub(crate) policy: Policy,
    pub(crate) action: ActionConstraint,
    pub(crate) patterns: Patterns,
    pub(crate) uses_context: bool,
}

/// Positions of policies by whom they are about.
#[derive(Debug, Default)]
pub(crate) struct ByAsker {
    /// Of those that are about anybody.
    pub(crate) anybody: Vec<usize>,
    /// By the type of the principal.
    pub(crate) kind: HashMap<EntityTypeName, Vec<usize>>,
    /// By a principal or group that is named.
    pub(crate) named: HashMap<EntityUid, Vec<usize>>,
}

impl PolicySet {
    /// Reads policies. The whole is refused if anything in it is wrong, so that a set that works is never replaced by a half.
    ///
    /// A policy's id is its annotation `@id("…")`, or the name of its source and its number there.
    ///
    /// # Errors
    ///
    /// Everything that is wrong: the grammar, the types of the [schema](schema::text), ids given twice, templates, and tests of
    /// indices of which it cannot be told how a pattern is to be judged.
    pub fn parse(sources: &[Source]) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut policies: Vec<Ready> = Vec::new();
        for source in sources {
            match read(source) {
                Ok(read) => policies.extend(read),
                Err(found) => faults.extend(found),
            }
        }
        let mut ids = HashSet::new();
        for ready in &policies {
            if !ids.insert(Arc::clone(&ready.id)) {
                faults.push(Fault {
                    source: ready.id.to_string(),
                    at: None,
                    message: "two policies have this id".to_owned(),
                    help: Some("give each an @id of its own".to_owned()),
                });
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let by_asker = ByAsker::of(&policies);
        Ok(Self {
            policies: policies.into(),
            by_asker,
            slices: Slices::default(),
            decisions: Decisions::default(),
        })
    }

    /// How many policies there are.
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// Whether there are none, which allows nothing.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }
}

impl ByAsker {
    fn of(policies: &[Ready]) -> Self {
        let mut index = Self::default();
        for (at, ready) in policies.iter().enumerate() {
            match ready.policy.principal_constraint() {
                PrincipalConstraint::Any => index.anybody.push(at),
                PrincipalConstraint::Is(kind) => index.kind.entry(kind).or_default().push(at),
                PrincipalConstraint::Eq(named)
                | PrincipalConstraint::In(named)
                | PrincipalConstraint::IsIn(_, named) => index.named.entry(named).or_default().push(at),
            }
        }
        index
    }
}

/// A validator for one of the crate's own schemas.
fn validator<E: std::fmt::Display>(schema: Result<Schema, E>) -> Result<Validator, Vec<Fault>> {
    let fault = |error: E| Fault {
        source: "the schema".to_owned(),
        at: None,
        message: error.to_string(),
        help: Some("this is a fault of the program and no policy can mend it".to_owned()),
    };
    Ok(Validator::new(schema.map_err(|error| vec![fault(error)])?))
}

fn read(source: &Source) -> Result<Vec<Ready>, Vec<Fault>> {
    let Source { name, text } = source;
    let set = cedar_policy::PolicySet::from_str(text)
        .map_err(|errors| errors.iter().map(|error| Fault::of(name, text, error)).collect::<Vec<_>>())?;
    if set.templates().next().is_some() {
        return Err(vec![Fault {
            source: name.clone(),
            at: None,
            message: "a policy with ?principal or ?resource is a template, and templates are not linked here"
                .to_owned(),
            help: Some("name the principal and the resource".to_owned()),
        }]);
    }
    let named: BTreeSet<String> = set.policies().flat_map(actions).collect();
    let written = validator(schema::written(&named))?;
    let evaluated = validator(schema::evaluated(&named))?;
    let mut faults: Vec<Fault> = written
        .validate(&set, ValidationMode::Strict)
        .validation_errors()
        .map(|error| Fault::of(name, text, error))
        .collect();
    let mut numbered: Vec<_> = set.policies().map(|policy| (number(policy.id()), policy)).collect();
    numbered.sort_by_key(|(number, _)| *number);
    let mut ready = Vec::new();
    for (number, policy) in numbered {
        let id = policy.annotation("id").map_or_else(|| format!("{name}#{}", number + 1), str::to_owned);
        match prepare(&id, policy, &evaluated) {
            Ok(prepared) => ready.push(prepared),
            // What the author did wrong is told in the author's words.
            Err(_) if !faults.is_empty() => {}
            Err((message, help)) => {
                faults.push(Fault { source: format!("{name}, policy {id}"), at: None, message, help });
            }
        }
    }
    if faults.is_empty() { Ok(ready) } else { Err(faults) }
}

/// The actions that a policy names, in its head or in a condition.
fn actions(policy: &Policy) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                if object.get("type").and_then(Value::as_str) == Some("Action") {
                    found.extend(object.get("id").and_then(Value::as_str).map(str::to_owned));
                }
                object.values().for_each(|inner| collect(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| collect(inner, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    if let Ok(json) = policy.to_json() {
        collect(&json, &mut found);
    }
    found
}

/// Cedar numbers the policies of a text as `policy0`, `policy1` and so on.
fn number(id: &PolicyId) -> usize {
    let id: &str = id.as_ref();
    id.trim_start_matches("policy").parse().unwrap_or_default()
}

fn prepare(id: &str, policy: &Policy, evaluated: &Validator) -> Result<Ready, (String, Option<String>)> {
    let plain = |error: &dyn std::fmt::Display| (error.to_string(), None);
    let json = policy.to_json().map_err(|error| plain(&error))?;
    let uses_context = names_context(&json);
    let (json, patterns) =
        reach::rewrite(json).map_err(|error| (error.to_string(), Some(error.help().to_owned())))?;
    let policy = Policy::from_json(Some(PolicyId::new(id)), json).map_err(|error| plain(&error))?;
    let alone = cedar_policy::PolicySet::from_policies([policy.clone()]).map_err(|error| plain(&error))?;
    if let Some(error) = evaluated.validate(&alone, ValidationMode::Strict).validation_errors().next() {
        return Err(plain(error));
    }
    let action = policy.action_constraint();
    Ok(Ready { id: id.into(), policy, action, patterns, uses_context })
}

fn names_context(value: &Value) -> bool {
    match value {
        Value::Object(object) => {
            object.get("Var").and_then(|var| var.as_str()) == Some("context")
                || object.values().any(names_context)
        }
        Value::Array(items) => items.iter().any(names_context),
        _ => false,
    }
}
