//! YAML whose faults are told with line and key.

use policy::{Fault, Place};
use saphyr::{LoadableYamlNode as _, MarkedYaml, Marker, Scalar, YamlData};

/// A fault at a place of the text.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    at: Marker,
    what: String,
    help: Option<String>,
}

impl Wrong {
    pub(super) fn new(at: Marker, what: impl Into<String>) -> Self {
        Self { at, what: what.into(), help: None }
    }

    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// As a fault of the file of that name and text.
    pub(super) fn fault(self, file: &str, text: &str) -> Fault {
        let place = Place::new(text, self.at.line(), self.at.col() + 1);
        Fault::new(file, self.what).with_help(self.help).at(place)
    }
}

/// Reads one document and gives it to `read`.
pub(super) fn document<T>(
    text: &str,
    read: impl FnOnce(&MarkedYaml<'_>) -> Result<T, Vec<Wrong>>,
) -> Result<T, Vec<Wrong>> {
    let documents =
        MarkedYaml::load_from_str(text).map_err(|error| vec![Wrong::new(*error.marker(), error.info())])?;
    match documents.as_slice() {
        [] => Err(vec![Wrong::new(Marker::new(0, 1, 0), "the file is empty")]),
        [document] => read(document),
        [_, second, ..] => Err(vec![Wrong::new(second.span.start, "there is more than one document")]),
    }
}

/// The entries of a mapping with known keys.
#[derive(Debug)]
pub(super) struct Fields<'y> {
    at: Marker,
    entries: Vec<(&'y str, Field<'y>)>,
}

/// A value, with the key that it stands under.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'y> {
    key: &'y str,
    node: &'y MarkedYaml<'y>,
}

impl<'y> Fields<'y> {
    /// Of a mapping, which may have these keys and no others.
    pub(super) fn of(node: &'y MarkedYaml<'y>, known: &[&str]) -> Result<Self, Wrong> {
        let keys = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let at = node.span.start;
        let YamlData::Mapping(mapping) = &node.data else {
            return Err(Wrong::new(at, "this must be a mapping").help(format!("its keys are {keys}")));
        };
        let mut entries = Vec::new();
        for (key, node) in mapping {
            let at = key.span.start;
            match &key.data {
                YamlData::Value(Scalar::String(key)) if known.contains(&key.as_ref()) => {
                    entries.push((key.as_ref(), Field { key: key.as_ref(), node }));
                }
                YamlData::Value(Scalar::String(key)) => {
                    return Err(Wrong::new(at, format!("there is no key `{key}` here"))
                        .help(format!("the keys here are {keys}")));
                }
                _ => {
                    return Err(
                        Wrong::new(at, "a key must be a text").help(format!("the keys here are {keys}"))
                    );
                }
            }
        }
        Ok(Self { at, entries })
    }

    pub(super) fn at(&self) -> Marker {
        self.at
    }

    pub(super) fn get(&self, key: &str) -> Option<Field<'y>> {
        self.entries.iter().find(|(known, _)| *known == key).map(|(_, field)| *field)
    }

    pub(super) fn required(&self, key: &str) -> Result<Field<'y>, Wrong> {
        self.get(key).ok_or_else(|| Wrong::new(self.at, format!("the key `{key}` is missing")))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'y str>, Wrong> {
        self.get(key).map(|field| field.text()).transpose()
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<&'y str>, Wrong> {
        self.get(key).map_or(Ok(Vec::new()), |field| field.texts())
    }

    /// The one entry of a mapping that must have exactly one.
    pub(super) fn only(&self) -> Result<Field<'y>, Wrong> {
        match self.entries.as_slice() {
            [(_, field)] => Ok(*field),
            _ => Err(Wrong::new(self.at, "this must have exactly one key")),
        }
    }
}

impl<'y> Field<'y> {
    pub(super) fn key(&self) -> &'y str {
        self.key
    }

    pub(super) fn node(&self) -> &'y MarkedYaml<'y> {
        self.node
    }

    /// A fault of this value.
    pub(super) fn wrong(&self, what: impl std::fmt::Display) -> Wrong {
        Wrong::new(self.node.span.start, format!("`{}`: {what}", self.key))
    }

    /// The value if it is a text.
    pub(super) fn as_text(&self) -> Option<&'y str> {
        text(self.node)
    }

    pub(super) fn text(&self) -> Result<&'y str, Wrong> {
        self.as_text().ok_or_else(|| {
            self.wrong("this must be a text").help("quote what could be read as something else")
        })
    }

    /// The value if it is a number that counts something.
    pub(super) fn as_count(&self) -> Option<u64> {
        match &self.node.data {
            YamlData::Value(Scalar::Integer(number)) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A text, or a list of them.
    pub(super) fn texts(&self) -> Result<Vec<&'y str>, Wrong> {
        if let Some(text) = self.as_text() {
            return Ok(vec![text]);
        }
        let items = self.items().ok_or_else(|| self.wrong("this must be a text or a list of texts"))?;
        let each = |item: &'y MarkedYaml<'y>| {
            text(item)
                .ok_or_else(|| Wrong::new(item.span.start, format!("`{}`: this must be a text", self.key)))
        };
        items.iter().map(each).collect()
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<&'y [MarkedYaml<'y>]> {
        match &self.node.data {
            YamlData::Sequence(items) => Some(items),
            _ => None,
        }
    }
}

fn text<'y>(node: &'y MarkedYaml<'y>) -> Option<&'y str> {
    match &node.data {
        YamlData::Value(Scalar::String(text)) => Some(text.as_ref()),
        _ => None,
    }
}
