//! Policies as they are read from files.

use std::{
    collections::{BTreeSet, HashMap},
    str::FromStr as _,
    sync::Arc,
};

use cedar_policy::{
    ActionConstraint, CedarSchemaError, EntityTypeName, EntityUid, Policy, PolicyId, PrincipalConstraint,
    Schema, ValidationError, ValidationMode, Validator,
};
use serde_json::Value;

use crate::{
    Fault, Place,
    cache::Decisions,
    names, pieces,
    reach::{self, Patterns},
    schema,
    slice::Slices,
};

/// A text of policies, as of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// By what faults name it: a path or a name. What is after its last slash is the first part of the ids of its policies.
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
    /// A policy's id is its annotation `@id("…")`, or the file name of its source and its number there.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, in the order of the texts: the grammar, the types of the [schema](schema::text), ids given twice,
    /// templates, and tests of indices of which it cannot be told how a pattern is to be judged.
    pub fn parse(sources: &[Source]) -> Result<Self, Vec<Fault>> {
        Self::parse_as(None, sources)
    }

    /// As [`Self::parse`], with the name of the set and a slash before each id, so that those of several sets differ.
    pub fn parse_as(set: Option<&str>, sources: &[Source]) -> Result<Self, Vec<Fault>> {
        let texts: Vec<_> = sources.iter().map(Text::read).collect();
        let named =
            texts.iter().flatten().flat_map(|text| text.policies.policies().flat_map(actions)).collect();
        let validators = Validators::new(&named).map_err(|fault| vec![fault])?;
        let (mut policies, mut faults) = (Vec::new(), Vec::new());
        let mut by_id: HashMap<Arc<str>, &str> = HashMap::new();
        for (source, text) in sources.iter().zip(texts) {
            let mut found = match text.and_then(|text| text.prepare(set, &validators)) {
                Ok(ready) => {
                    let mut twice = Vec::new();
                    for (ready, place) in ready {
                        match by_id.insert(Arc::clone(&ready.id), &source.name) {
                            None => policies.push(ready),
                            Some(other) => twice.push(given_twice(&ready.id, source, other, place)),
                        }
                    }
                    twice
                }
                Err(found) => found,
            };
            // Cedar finds them in no order, and some once for each action.
            found.sort_by(|one, other| (&one.place, &one.message).cmp(&(&other.place, &other.message)));
            found.dedup_by(|one, other| one.place == other.place && one.message == other.message);
            faults.extend(found);
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

fn given_twice(id: &str, source: &Source, other: &str, place: Option<Place>) -> Fault {
    let message = if *other == source.name {
        "two policies have this id".to_owned()
    } else {
        format!("the policy `{id}` is in {other} too")
    };
    let fault = Fault::new(&*source.name, message).with_help(Some("give each an @id of its own"));
    Fault { place, ..fault }
}

/// Cedar's validators, made for the policies of one set together.
struct Validators {
    written: Validator,
    evaluated: Validator,
}

impl Validators {
    /// For policies that name these actions.
    fn new(named: &BTreeSet<String>) -> Result<Self, Fault> {
        let validator = |schema: Result<Schema, Box<CedarSchemaError>>| {
            let fault = |error: Box<CedarSchemaError>| {
                let help = "this is a fault of the program and no policy can mend it";
                Fault::new("the schema", error.to_string()).with_help(Some(help))
            };
            schema.map(Validator::new).map_err(fault)
        };
        Ok(Self {
            written: validator(schema::written(named))?,
            evaluated: validator(schema::evaluated(named))?,
        })
    }
}

/// A text that has Cedar's grammar.
struct Text<'s> {
    source: &'s Source,
    policies: cedar_policy::PolicySet,
    /// Where each policy begins.
    beginnings: Vec<usize>,
}

impl<'s> Text<'s> {
    fn read(source: &'s Source) -> Result<Self, Vec<Fault>> {
        let Source { name, text } = source;
        let policies = cedar_policy::PolicySet::from_str(text)
            .map_err(|errors| errors.iter().map(|error| Fault::of(name, text, error)).collect::<Vec<_>>())?;
        let text = Self { source, policies, beginnings: pieces::beginnings(text) };
        let templates: Vec<Fault> = text
            .policies
            .templates()
            .map(|template| {
                text.fault(
                    number(template.id()),
                    "a policy with ?principal or ?resource is a template, and templates are not linked here",
                    Some("name the principal and the resource"),
                )
            })
            .collect();
        if templates.is_empty() { Ok(text) } else { Err(templates) }
    }

    fn place(&self, number: usize) -> Option<Place> {
        self.beginnings.get(number).map(|&at| Place::of_byte(&self.source.text, at))
    }

    /// A fault of the policy of this number as a whole.
    fn fault(&self, number: usize, message: &str, help: Option<&str>) -> Fault {
        let fault = Fault::new(&*self.source.name, message).with_help(help);
        Fault { place: self.place(number), ..fault }
    }

    /// Each policy ready to be evaluated, with its place.
    fn prepare(
        &self,
        set: Option<&str>,
        validators: &Validators,
    ) -> Result<Vec<(Ready, Option<Place>)>, Vec<Fault>> {
        let Source { name, text } = self.source;
        let mut faults: Vec<Fault> = validators
            .written
            .validate(&self.policies, ValidationMode::Strict)
            .validation_errors()
            .map(|error| in_words(Fault::of(name, text, error), error))
            .collect();
        let mut numbered: Vec<_> =
            self.policies.policies().map(|policy| (number(policy.id()), policy)).collect();
        numbered.sort_by_key(|(number, _)| *number);
        let file = name.rsplit('/').next().unwrap_or_default();
        let mut ready = Vec::new();
        for (number, policy) in numbered {
            let own = policy.annotation("id").map_or_else(|| format!("{file}#{}", number + 1), str::to_owned);
            let id = set.map_or_else(|| own.clone(), |set| format!("{set}/{own}"));
            match prepare(&id, policy, &validators.evaluated) {
                Ok(prepared) => ready.push((prepared, self.place(number))),
                // What the author did wrong is told in the author's words.
                Err(_) if !faults.is_empty() => {}
                Err((message, help)) => {
                    faults.push(self.fault(number, &format!("policy `{id}`: {message}"), help));
                }
            }
        }
        if faults.is_empty() { Ok(ready) } else { Err(faults) }
    }
}

/// Without Cedar's own number of the policy, since the place is told, and without which of the actions it is said of. What is like a
/// misspelt action is looked for here: Cedar knows only some of them while it validates.
fn in_words(fault: Fault, error: &ValidationError) -> Fault {
    let numbered = format!("for policy `{}`, ", error.policy_id());
    let message = fault.message.strip_prefix(&numbered).unwrap_or(&fault.message);
    let message = match message.split_once(" for Action::\"") {
        Some((before, rest)) => match rest.split_once('"') {
            Some((_, after)) => format!("{before}{after}"),
            None => message.to_owned(),
        },
        None => message.to_owned(),
    };
    let unknown = match error {
        ValidationError::UnrecognizedActionId(_) => message.split_once("Action::\""),
        _ => None,
    };
    let help = match unknown.and_then(|(_, rest)| rest.split_once("\"`")) {
        Some((name, _)) => Some(names::actions_like(name).map_or_else(
            || "`opensearch-auth policy schema` prints all actions".to_owned(),
            |like| format!("did you mean {like}?"),
        )),
        None => fault.help,
    };
    Fault { message, help, ..fault }
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

fn prepare(
    id: &str,
    policy: &Policy,
    evaluated: &Validator,
) -> Result<Ready, (String, Option<&'static str>)> {
    let plain = |error: &dyn std::fmt::Display| (error.to_string(), None);
    let json = policy.to_json().map_err(|error| plain(&error))?;
    let uses_context = names_context(&json);
    let (json, patterns) = reach::rewrite(json).map_err(|error| (error.to_string(), Some(error.help())))?;
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
