//! The claims of a token while they are judged: borrowed from its text, since most are looked at once.

use std::borrow::Cow;
use std::collections::HashSet;

use claims::Tree;
use serde_json::{Map, Value};

/// Objects of more members are asked by hash whether they have a name already.
const FEW: usize = 32;

/// The members of a JSON object, each name once.
#[derive(Debug, Default)]
pub(crate) struct Members<'t> {
    all: Vec<(Cow<'t, str>, Json<'t>)>,
    /// The names, once there are many.
    names: HashSet<Cow<'t, str>>,
}

/// A JSON value.
#[derive(Debug, PartialEq)]
pub(crate) enum Json<'t> {
    Null,
    Bool(bool),
    /// As a whole number, if it is one that is not negative.
    Number(Option<u64>),
    Text(Cow<'t, str>),
    Array(Vec<Self>),
    Object(Members<'t>),
}

impl<'t> Members<'t> {
    pub(crate) fn with_capacity(members: usize) -> Self {
        Self { all: Vec::with_capacity(members), names: HashSet::new() }
    }

    /// The members of an object that was read otherwise.
    pub(crate) fn of(members: &'t Map<String, Value>) -> Self {
        let all = members.iter().map(|(name, value)| (name.as_str().into(), Json::of(value))).collect();
        Self { all, names: HashSet::new() }
    }

    /// Adds a member. `false` if there is one of this name.
    pub(crate) fn add(&mut self, name: Cow<'t, str>, value: Json<'t>) -> bool {
        if self.all.len() < FEW {
            if self.contains(&name) {
                return false;
            }
        } else {
            if self.names.is_empty() {
                self.names.extend(self.all.iter().map(|(name, _)| name.clone()));
            }
            if !self.names.insert(name.clone()) {
                return false;
            }
        }
        self.all.push((name, value));
        true
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json<'t>> {
        self.all.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|(name, _)| &**name)
    }
}

impl PartialEq for Members<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl<'t> Json<'t> {
    fn of(value: &'t Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.as_u64()),
            Value::String(text) => Self::Text(text.as_str().into()),
            Value::Array(elements) => Self::Array(elements.iter().map(Self::of).collect()),
            Value::Object(members) => Self::Object(Members::of(members)),
        }
    }

    pub(crate) fn as_object(&self) -> Option<&Members<'t>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }
}

impl Tree for Json<'_> {
    fn elements(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(name),
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}
