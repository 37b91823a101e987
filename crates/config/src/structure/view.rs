//! Moving through a document and its schema side by side.

use serde_json::Value;

use crate::tree::{At, Step};

/// A place in the schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'s> {
    root: &'s Value,
    node: &'s Value,
}

impl<'s> View<'s> {
    pub(crate) fn root(schema: &'s Value) -> Self {
        Self { root: schema, node: schema }
    }

    fn at(self, node: &'s Value) -> Self {
        Self { root: self.root, node }
    }

    pub(crate) fn get(self, keyword: &str) -> Option<&'s Value> {
        self.node.get(keyword)
    }

    pub(crate) fn text(self, keyword: &str) -> Option<&'s str> {
        self.get(keyword)?.as_str()
    }

    /// The schema proper: references followed, the null of an optional value left aside.
    pub(crate) fn target(self) -> Self {
        let mut view = self;
        loop {
            let next = if let Some(reference) = view.text("$ref") {
                reference.strip_prefix('#').and_then(|pointer| view.root.pointer(pointer))
            } else if let Some(options) = view.get("anyOf").and_then(Value::as_array) {
                options.iter().find(|option| !is_null_schema(option))
            } else {
                None
            };
            match next {
                Some(node) => view = view.at(node),
                None => return view,
            }
        }
    }

    pub(crate) fn allows_null(self) -> bool {
        self.is("null")
            || self
                .get("anyOf")
                .and_then(Value::as_array)
                .is_some_and(|options| options.iter().any(is_null_schema))
    }

    /// True if `type` is or includes `name`.
    pub(crate) fn is(self, name: &str) -> bool {
        match self.get("type") {
            Some(Value::String(only)) => only == name,
            Some(Value::Array(several)) => several.iter().any(|one| one == name),
            _ => false,
        }
    }

    /// The alternatives of a `oneOf`.
    pub(crate) fn alternatives(self) -> impl Iterator<Item = Self> {
        self.get("oneOf").and_then(Value::as_array).into_iter().flatten().map(move |node| self.at(node))
    }

    /// The named properties, those of all alternatives included.
    pub(crate) fn properties(self) -> Vec<(&'s str, Self)> {
        let own = self.get("properties").and_then(Value::as_object).into_iter().flatten();
        own.map(|(name, node)| (name.as_str(), self.at(node)))
            .chain(self.alternatives().flat_map(Self::properties))
            .collect()
    }

    /// What holds for one step further down.
    pub(crate) fn step(self, step: &Step) -> Option<Self> {
        let target = self.target();
        match step {
            Step::Index(_) => target.get("items").map(|node| target.at(node)),
            Step::Key(key) => target
                .properties()
                .into_iter()
                .find(|(name, _)| name == key)
                .map(|(_, view)| view)
                .or_else(|| {
                    target.get("additionalProperties").filter(|node| node.is_object()).map(|n| target.at(n))
                }),
        }
    }

    pub(crate) fn find(self, at: &At) -> Option<Self> {
        at.steps().iter().try_fold(self, Self::step)
    }

    /// Tells places of the schema apart.
    pub(crate) fn identity(self) -> *const Value {
        self.node
    }

    pub(crate) fn is_secret(self) -> bool {
        self.get("x-secret").is_some()
    }
}

fn is_null_schema(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "null")
}

/// Visits every value that the schema knows, a list or mapping before what is in it.
pub(crate) fn walk<'s>(
    schema: View<'s>,
    value: &mut Value,
    at: &At,
    visit: &mut impl FnMut(View<'s>, &mut Value, &At),
) {
    visit(schema, value, at);
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let step = Step::Index(index);
                if let Some(inner) = schema.step(&step) {
                    walk(inner, item, &at.with(step), visit);
                }
            }
        }
        Value::Object(entries) => {
            for (key, item) in entries.iter_mut() {
                let step = Step::Key(key.clone());
                if let Some(inner) = schema.step(&step) {
                    walk(inner, item, &at.with(step), visit);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The value at `at`.
pub(crate) fn find<'v>(value: &'v Value, at: &At) -> Option<&'v Value> {
    at.steps().iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// Takes the key that `at` ends with out of the document.
pub(crate) fn remove(value: &mut Value, at: &At) {
    let Some((Step::Key(last), parents)) = at.steps().split_last() else {
        return;
    };
    let parent = parents.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    if let Some(Value::Object(entries)) = parent {
        entries.remove(last);
    }
}
