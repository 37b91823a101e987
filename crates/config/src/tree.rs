//! A YAML document in which every key and value knows its place.

use std::fmt::Write as _;

use serde_json::{Number, Value};

use crate::source::Place;

/// A value and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a mapping and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

/// One step from a value to a value within it.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// The way from the root to a value.
#[derive(Clone, Debug, Default, Eq, PartialEq, Ord, PartialOrd)]
pub(crate) struct At(Vec<Step>);

impl Node {
    /// The document as JSON, without places.
    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => items.iter().map(Self::to_value).collect(),
            Kind::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect()
            }
        }
    }

    /// The place to show for what is at `at`: the scalar itself; for a list or mapping, the key that names it. For what is
    /// not there, the nearest thing around it.
    pub(crate) fn place(&self, at: &At) -> &Place {
        let mut node = self;
        let mut place = &self.place;
        for step in &at.0 {
            let found = match (step, &node.kind) {
                (Step::Key(key), Kind::Map(entries)) => {
                    entries.iter().find(|entry| entry.key == *key).map(|entry| (&entry.value, &entry.place))
                }
                (Step::Index(index), Kind::List(items)) => items.get(*index).map(|item| (item, &item.place)),
                _ => None,
            };
            let Some((value, named)) = found else { break };
            node = value;
            place = match value.kind {
                // An empty value has no text of its own to point at.
                Kind::Scalar(_) if !value.place.bytes.is_empty() => &value.place,
                _ => named,
            };
        }
        place
    }

    /// The place of the key that `at` ends with, where it is a key; else as [`Self::place`].
    pub(crate) fn key_place(&self, at: &At) -> &Place {
        let Some((Step::Key(key), parents)) = at.0.split_last() else {
            return self.place(at);
        };
        let parent = parents.iter().try_fold(self, |node, step| node.step(step));
        match parent.map(|parent| &parent.kind) {
            Some(Kind::Map(entries)) => entries
                .iter()
                .find(|entry| entry.key == *key)
                .map_or_else(|| self.place(at), |entry| &entry.place),
            _ => self.place(at),
        }
    }

    fn step(&self, step: &Step) -> Option<&Node> {
        match (step, &self.kind) {
            (Step::Key(key), Kind::Map(entries)) => {
                entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.value)
            }
            (Step::Index(index), Kind::List(items)) => items.get(*index),
            _ => None,
        }
    }
}

impl At {
    pub(crate) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    pub(crate) fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    pub(crate) fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl FromIterator<Step> for At {
    fn from_iter<T: IntoIterator<Item = Step>>(steps: T) -> Self {
        Self(steps.into_iter().collect())
    }
}

/// As in `providers[0].claims.groups`; a key with other characters than those of a word is quoted.
impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (depth, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if is_word(key) => {
                    if depth > 0 {
                        f.write_char('.')?;
                    }
                    f.write_str(key)?;
                }
                Step::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

fn is_word(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$'))
}

/// A number as JSON has it; what JSON cannot hold (infinity, not-a-number) stays text.
pub(crate) fn number(value: f64, text: &str) -> Value {
    Number::from_f64(value).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}
