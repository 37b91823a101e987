//! Text to tree: YAML 1.2 with the core schema, less what has no use in a configuration file.
//!
//! Refused, each with a message of its own: duplicate keys, several documents, tags beyond the core schema's, keys that
//! are not strings, merge keys, nesting beyond [`MAX_DEPTH`], and aliases that make the document larger than
//! [`MAX_NODES`].

use std::{borrow::Cow, collections::HashMap};

use saphyr::Scalar;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::Value;

use crate::{
    report::Report,
    source::{Place, Source},
    tree::{At, Entry, Kind, Node, number},
};

/// The model is some eight levels deep.
const MAX_DEPTH: usize = 32;
/// A file with a thousand mappings has some twenty thousand.
const MAX_NODES: usize = 200_000;

/// Parses the text; what it finds wrong goes to `report`. Nothing when there is no document to go on with.
pub(crate) fn parse(source: &Source, report: &mut Report) -> Option<Node> {
    let mut builder =
        Builder { source, report, open: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    let mut parser = Parser::new_from_str(source.text());
    let mut documents = 0;
    while let Some(next) = parser.next_event() {
        let (event, span) = match next {
            Ok(event) => event,
            Err(error) => {
                let marker = error.marker();
                let place = builder.source.place(marker.line(), marker.col(), 1);
                builder.report.error(
                    &place,
                    "",
                    syntax_message(error.info()),
                    syntax_cure(builder.source, &place),
                );
                return None;
            }
        };
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                let place = builder.source.place(span.start.line(), span.start.col(), 3);
                builder.report.error(
                    &place,
                    "",
                    "a second document begins here".to_owned(),
                    "keep one document in the file: remove this `---` and what follows it",
                );
                break;
            }
        }
        builder.event(event, span)?;
    }
    if builder.root.is_none() {
        let place = source.place(1, 0, 0);
        builder.report.error(
            &place,
            "",
            "the file is empty".to_owned(),
            "begin with `listen`, `public_url`, `providers`, `clusters` and `audit`",
        );
    }
    builder.root
}

fn syntax_message(info: &str) -> String {
    format!("this is not valid YAML: {info}")
}

fn syntax_cure(source: &Source, place: &Place) -> &'static str {
    let start = source.text()[..place.bytes.start].rfind('\n').map_or(0, |at| at + 1);
    let line = source.text()[start..].lines().next().unwrap_or_default();
    if line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t') {
        "indent with spaces; YAML does not allow tabs"
    } else {
        "check the indentation, the quotes and the colons of this line and of the one before it"
    }
}

/// A list or mapping whose end has not come yet.
struct Open {
    node: Node,
    anchor: usize,
    /// In a mapping, the key whose value comes next.
    key: Option<Key>,
}

enum Key {
    Usable(String, Place),
    /// It has been reported; its value goes nowhere.
    Refused,
}

struct Builder<'a> {
    source: &'a Source,
    report: &'a mut Report,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    /// Takes one event; `None` when reading on makes no sense.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let place = self.place(span, text.len());
                let value = self.scalar(text, style, tag.as_ref(), &place);
                self.close(Node { place, kind: Kind::Scalar(value) }, anchor)
            }
            Event::SequenceStart(anchor, tag) => self.begin(span, Kind::List(Vec::new()), anchor, tag, "seq"),
            Event::MappingStart(anchor, tag) => self.begin(span, Kind::Map(Vec::new()), anchor, tag, "map"),
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.open.pop()?;
                self.close(open.node, open.anchor)
            }
            Event::Alias(anchor) => {
                let place = self.place(span, 1);
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    self.report.error(
                        &place,
                        "",
                        "this alias stands within the value it refers to".to_owned(),
                        "write the value out",
                    );
                    return None;
                };
                self.count(size(&node), &place)?;
                self.close(node, 0)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Some(()),
        }
    }

    fn begin(
        &mut self,
        span: Span,
        kind: Kind,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        core: &str,
    ) -> Option<()> {
        let place = self.place(span, 1);
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == core)) {
            self.tag(&place, &tag);
        }
        if self.open.len() >= MAX_DEPTH {
            self.report.error(
                &place,
                "",
                format!("lists and mappings are nested more than {MAX_DEPTH} deep"),
                "no setting lies this deep; check the brackets and the indentation",
            );
            return None;
        }
        self.open.push(Open { node: Node { place, kind }, anchor, key: None });
        Some(())
    }

    /// A value is complete: it goes where it belongs.
    fn close(&mut self, node: Node, anchor: usize) -> Option<()> {
        self.count(1, &node.place)?;
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Some(());
        };
        match (&mut open.node.kind, open.key.take()) {
            (Kind::List(items), _) => items.push(node),
            (Kind::Map(_), Some(Key::Refused)) => {}
            (Kind::Map(entries), Some(Key::Usable(key, place))) => {
                if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                    let message = format!("`{key}` is given twice; first on line {}", first.place.line);
                    let at = self.key_so_far(&key);
                    self.report.error(&place, &at, message, "keep one of them");
                } else {
                    // A block mapping begins where its first key does: then the key is what to point at.
                    if entries.is_empty() && place.bytes.start == open.node.place.bytes.start {
                        open.node.place = place.clone();
                    }
                    entries.push(Entry { key, place, value: node });
                }
            }
            (Kind::Map(_), None) => {
                let key = self.key(node);
                if let Some(open) = self.open.last_mut() {
                    open.key = Some(key);
                }
            }
            // Scalars are never open.
            (Kind::Scalar(_), _) => return None,
        }
        Some(())
    }

    /// A node as the key of a mapping. Numbers and booleans count as their text, which is what was meant.
    fn key(&mut self, node: Node) -> Key {
        let key = match node.kind {
            Kind::Scalar(Value::String(text)) => text,
            Kind::Scalar(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
            Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => {
                self.report.error(
                    &node.place,
                    &self.key_so_far(""),
                    "a key must be a word".to_owned(),
                    "put the key before a colon, in quotes if it has special characters",
                );
                return Key::Refused;
            }
        };
        if key == "<<" {
            self.report.error(
                &node.place,
                &self.key_so_far(""),
                "merge keys (`<<`) are not part of YAML 1.2".to_owned(),
                "write the settings out",
            );
            return Key::Refused;
        }
        Key::Usable(key, node.place)
    }

    fn key_so_far(&self, last: &str) -> String {
        let mut at = At::default();
        for open in &self.open {
            at = match (&open.node.kind, &open.key) {
                (Kind::List(items), _) => at.index(items.len()),
                (_, Some(Key::Usable(key, _))) => at.key(key),
                (_, Some(Key::Refused) | None) => at,
            };
        }
        if last.is_empty() { at } else { at.key(last) }.to_string()
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&Cow<'_, Tag>>,
        place: &Place,
    ) -> Value {
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            self.tag(place, tag);
        }
        let original = text.clone();
        match Scalar::parse_from_cow_and_metadata(text, style, tag) {
            Some(Scalar::Null) => Value::Null,
            Some(Scalar::Boolean(value)) => value.into(),
            Some(Scalar::Integer(value)) => value.into(),
            Some(Scalar::FloatingPoint(value)) => number(*value, &original),
            Some(Scalar::String(value)) => value.into_owned().into(),
            None => {
                if let Some(tag) = tag {
                    self.tag(place, tag);
                }
                original.into_owned().into()
            }
        }
    }

    fn tag(&mut self, place: &Place, tag: &Tag) {
        let tag = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
        self.report.error(
            place,
            &self.key_so_far(""),
            format!("the tag `{tag}` does not fit this value"),
            "remove the tag; put the value in quotes if it must be a string",
        );
    }

    fn count(&mut self, nodes: usize, place: &Place) -> Option<()> {
        self.nodes += nodes;
        if self.nodes <= MAX_NODES {
            return Some(());
        }
        self.report.error(
            place,
            "",
            format!("the file has more than {MAX_NODES} values, those of aliases included"),
            "write fewer aliases (`*name`) to large values",
        );
        None
    }

    /// A span as a place; `least` is its length where the parser gives none.
    fn place(&self, span: Span, least: usize) -> Place {
        let length = if span.start.line() == span.end.line() {
            span.end.col().saturating_sub(span.start.col())
        } else {
            usize::MAX
        };
        let length = if length == 0 { least } else { length };
        self.source.place(span.start.line(), span.start.col(), length)
    }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(_) => 1,
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
    }
}
