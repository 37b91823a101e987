//! Follows a JSON document through the shapes and says what it names.

use super::found::Found;
use super::inner;
use super::shapes::{ShapeId, Spec, shape};
use super::{ActionSet, BodyLimits, BodyRefusal, EnginePlan, Unnamed};
use crate::classify::states_include_hidden;
use crate::json::{Capture, Container, JsonProblem, Scalar, Sink};
use crate::{Action, Origin, Refusal, Target, expression, ppl, sql};

/// Where in a document the reader is.
#[derive(Debug)]
pub(crate) struct State {
    frames: Vec<Frame>,
    /// Hashes of the keys of all open objects, the innermost last. Equal hashes of different keys can only
    /// refuse a document that could pass.
    keys: Vec<u64>,
    /// What the next value is.
    next: Spec,
    /// Open containers of a value in which nothing matters.
    skipped: u32,
    /// The key that was read last.
    key: String,
    /// The first key of the top object, and how many it has.
    top_key: String,
    top_keys: u32,
    /// Whether a target was concluded since the last reset.
    judged: bool,
    /// What hidden indices would add to the wildcards of this document, and whether it asks for them.
    wild: Vec<(ActionSet, Target)>,
    /// The actions of those that [`WILD`] left no room for.
    wild_beyond: ActionSet,
    hidden: bool,
    /// In how many texts this document stands.
    pub(crate) level: u8,
    refusal: Option<BodyRefusal>,
}

/// Enough for every action on a few remote clusters.
const WILD: usize = 64;

#[derive(Clone, Copy, Debug)]
enum Frame {
    Object {
        shape: ShapeId,
        /// Where its keys begin in [`State::keys`].
        keys_from: usize,
        /// Whether it had a key with `index:…`.
        named: bool,
    },
    /// Elements that all mean the same.
    Array(Spec),
    /// A list of index expressions, which may begin to exclude after a wildcard.
    Names { actions: ActionSet, wildcard: bool, empty: bool },
}

/// A value that is no object or array.
#[derive(Clone, Copy, Debug)]
enum Leaf<'t> {
    Text(&'t str),
    False,
    /// A number, `true` or `null`.
    Other,
}

impl Leaf<'_> {
    /// Whether it is this word, for an engine that reads the text `"false"` as `false`.
    fn is(self, word: &str) -> bool {
        match self {
            Self::Text(text) => text == word,
            Self::False => word == "false",
            Self::Other => false,
        }
    }
}

/// A walk at work: with what it needs to know and where it puts what it finds.
pub(crate) struct Walk<'w> {
    pub(crate) plan: &'w EnginePlan,
    pub(crate) limits: &'w BodyLimits,
    pub(crate) state: &'w mut State,
    pub(crate) found: &'w mut Found,
}

impl State {
    pub(crate) fn new(root: ShapeId) -> Self {
        Self {
            frames: Vec::new(),
            keys: Vec::new(),
            next: Spec::Shape(root),
            skipped: 0,
            key: String::new(),
            top_key: String::new(),
            top_keys: 0,
            judged: false,
            wild: Vec::new(),
            wild_beyond: ActionSet::default(),
            hidden: false,
            level: 0,
            refusal: None,
        }
    }

    /// Prepares for the next document.
    pub(crate) fn reset(&mut self, root: ShapeId) {
        self.frames.clear();
        self.keys.clear();
        self.next = Spec::Shape(root);
        self.skipped = 0;
        self.top_keys = 0;
        self.judged = false;
        self.wild.clear();
        self.wild_beyond = ActionSet::default();
        self.hidden = false;
    }

    /// The key of a top object that has just one, and in which a target was concluded.
    pub(crate) fn only_key(&self) -> Option<&str> {
        (self.top_keys == 1 && self.judged).then_some(&self.top_key)
    }

    /// Why the walk stopped the lexer; positions count from where it did.
    pub(crate) fn take_refusal(&mut self) -> Option<BodyRefusal> {
        self.refusal.take()
    }

    /// Keeps the refusal and stops the lexer, whose own problem is then not told.
    pub(crate) fn stop(&mut self, refusal: BodyRefusal) -> JsonProblem {
        self.refusal = Some(refusal);
        JsonProblem::Unexpected
    }

    /// Keeps what hidden indices would add to this target. All that there is to keep differs by its actions and
    /// its remote part; once that is much, the rest is only counted as there.
    fn add_wild(&mut self, actions: ActionSet, target: &Target) {
        let Some(hidden) = target.with_hidden() else { return };
        if self.wild.iter().any(|(known, kept)| *known == actions && *kept == hidden) {
            return;
        }
        if self.wild.len() < WILD {
            self.wild.push((actions, hidden));
        } else {
            self.wild_beyond = self.wild_beyond.union(actions);
        }
    }

    /// A value ended: in a list the next one means the same.
    fn value_ended(&mut self) {
        if let Some(Frame::Array(spec)) = self.frames.last() {
            self.next = *spec;
        }
    }
}

impl Walk<'_> {
    /// An object of this shape named no index; also what an empty body means.
    pub(crate) fn unnamed(&mut self, id: ShapeId) -> Result<(), BodyRefusal> {
        match shape(id).unnamed {
            Some(Spec::Default(actions)) => self.default(actions),
            Some(Spec::Fixed(actions, name)) => self.expression(actions, name, Origin::InBody, &mut false),
            Some(Spec::Everything(beside)) => {
                self.state.judged = true;
                self.found.everything(beside, self.plan);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The path's index, or what the plan says when it has none.
    fn default(&mut self, actions: ActionSet) -> Result<(), BodyRefusal> {
        self.state.judged = true;
        let new = self.found.is_new_default(actions);
        let (plan, everything) = (self.plan, [Target::everything()]);
        let (targets, origin) = match &plan.unnamed {
            Unnamed::Refused => return Err(BodyRefusal::Unnamed { at: 0 }),
            Unnamed::Path(targets) => (&**targets, Origin::Path),
            Unnamed::Everything => (&everything[..], Origin::NoIndexNamed),
        };
        for target in targets {
            if new {
                self.found.target(actions, target, origin, plan);
            }
            self.state.add_wild(actions, target);
        }
        Ok(())
    }

    /// An index expression, or a later part of a list of them. An empty one means all, as for the engine.
    fn expression(
        &mut self,
        actions: ActionSet,
        text: &str,
        origin: Origin,
        wildcard: &mut bool,
    ) -> Result<(), BodyRefusal> {
        self.state.judged = true;
        if self.found.is_recent(actions, text) {
            return Ok(());
        }
        let text = if text.is_empty() { "_all" } else { text };
        let targets = expression::targets_after(text, wildcard).map_err(|refusal| match refusal {
            Refusal::Expression { problem, element } => BodyRefusal::Expression { at: 0, problem, element },
            // An expression has no other refusals.
            _ => BodyRefusal::Unnamed { at: 0 },
        })?;
        for target in &targets {
            self.found.target(actions, target, origin, self.plan);
            self.state.add_wild(actions, target);
        }
        let plain = !text.contains(['*', ',']) && text != "_all";
        if plain && !targets.is_empty() {
            self.found.remember(actions, text);
        }
        Ok(())
    }

    fn not_understood(&mut self) {
        self.state.judged = true;
        self.found.not_understood(&self.state.key, self.plan);
    }

    /// A value that is no object or array.
    fn leaf(&mut self, spec: Spec, leaf: Leaf<'_>) -> Result<(), BodyRefusal> {
        match (spec, leaf) {
            (Spec::Any | Spec::Scalar, _) => {}
            (Spec::Shape(id) | Spec::Split(id, _), _) => match shape(id).scalar {
                // A shape's scalar is never a shape again, see the build script.
                Some(spec) => return self.leaf(spec, leaf),
                None => self.not_understood(),
            },
            (Spec::Index { actions, main }, Leaf::Text(text)) => {
                self.name(main);
                return self.expression(actions, text, Origin::InBody, &mut false);
            }
            (Spec::Patterns(actions), Leaf::Text(text)) => {
                self.name(true);
                self.state.hidden = true;
                return self.expression(actions, text, Origin::InBody, &mut false);
            }
            (Spec::Rendered(actions), Leaf::Text(text)) if text.contains("{{") => {
                self.found.everything(actions, self.plan);
            }
            (Spec::Rendered(actions), Leaf::Text(text)) => {
                return self.expression(actions, text, Origin::InBody, &mut false);
            }
            (Spec::Default(actions), _) => return self.default(actions),
            (Spec::Fixed(actions, name), _) => {
                return self.expression(actions, name, Origin::InBody, &mut false);
            }
            (Spec::Everything(beside), _) => self.found.everything(beside, self.plan),
            (Spec::When { word, equal, then }, leaf) => {
                if leaf.is(word) == equal {
                    return self.leaf(*then, leaf);
                }
            }
            (Spec::Handle, _) => self.found.handle(),
            (Spec::ClusterAdmin, _) => self.found.cluster_admin(),
            (Spec::States, Leaf::Text(text)) => self.state.hidden |= states_include_hidden(text),
            (Spec::Base64(id), Leaf::Text(text)) => return inner::base64(self, id, text),
            (Spec::Filled(_), Leaf::Text(text)) if text.contains("${") => self.not_understood(),
            (Spec::Json(id) | Spec::Filled(id), Leaf::Text(text)) => return inner::text(self, id, text),
            (Spec::Sql, Leaf::Text(text)) => return self.tables(sql::tables(text)),
            (Spec::Ppl, Leaf::Text(text)) => return self.tables(ppl::tables(text)),
            _ => self.not_understood(),
        }
        Ok(())
    }

    /// What a query text names; `None` when it is not understood.
    fn tables(&mut self, tables: Option<Vec<String>>) -> Result<(), BodyRefusal> {
        let Some(tables) = tables else {
            self.not_understood();
            return Ok(());
        };
        let read = ActionSet::default().with(Action::Read);
        for table in tables {
            self.expression(read, &table, Origin::InQueryText, &mut false)?;
        }
        Ok(())
    }

    /// The open object names its index.
    fn name(&mut self, main: bool) {
        if let Some(Frame::Object { named, .. }) = self.state.frames.last_mut() {
            *named |= main;
        }
    }

    fn open_object(&mut self, shape: ShapeId) {
        let keys_from = self.state.keys.len();
        self.state.frames.push(Frame::Object { shape, keys_from, named: false });
    }

    fn open_value(&mut self, container: Container) -> Result<(), BodyRefusal> {
        let object = container == Container::Object;
        let spec = self.state.next;
        match spec {
            Spec::Shape(id) | Spec::Split(id, _) | Spec::Json(id) if object => self.open_object(id),
            Spec::Split(_, id) => self.open_array(Spec::Shape(id)),
            Spec::Index { actions, main } if !object => {
                self.name(main);
                self.open_names(actions);
            }
            Spec::Patterns(actions) if !object => {
                self.name(true);
                self.state.hidden = true;
                self.open_names(actions);
            }
            Spec::Shape(_) | Spec::Scalar | Spec::States if !object => self.open_array(spec),
            Spec::Any => self.state.skipped = 1,
            Spec::Everything(_) | Spec::Handle | Spec::ClusterAdmin | Spec::Default(_) => {
                self.state.skipped = 1;
                return self.leaf(spec, Leaf::Other);
            }
            _ => {
                self.state.skipped = 1;
                self.not_understood();
            }
        }
        Ok(())
    }

    fn open_names(&mut self, actions: ActionSet) {
        self.state.frames.push(Frame::Names { actions, wildcard: false, empty: true });
        // Only texts are names.
        self.state.next = Spec::Unknown;
    }

    fn open_array(&mut self, elements: Spec) {
        self.state.next = elements;
        self.state.frames.push(Frame::Array(elements));
    }

    fn close_frame(&mut self) -> Result<(), BodyRefusal> {
        match self.state.frames.pop() {
            Some(Frame::Object { shape, keys_from, named }) => {
                self.state.keys.truncate(keys_from);
                if !named {
                    self.unnamed(shape)?;
                }
            }
            Some(Frame::Names { actions, empty: true, .. }) => {
                self.expression(actions, "", Origin::InBody, &mut false)?;
            }
            _ => {}
        }
        if self.state.frames.is_empty() && self.state.hidden {
            for (actions, hidden) in std::mem::take(&mut self.state.wild) {
                self.found.push(actions, &hidden, Origin::InBody);
            }
            // What the clusters beyond the limit were is forgotten, so every one of them may be meant.
            let beyond = std::mem::take(&mut self.state.wild_beyond);
            let remote = Some(Target::everything().index);
            self.found.push(beyond, &Target::hidden(), Origin::InBody);
            self.found.push(beyond, &Target { remote, ..Target::hidden() }, Origin::InBody);
        }
        Ok(())
    }

    /// Refuses a second key of the same name in the open object.
    fn note_key(&mut self, key: &str) -> Result<(), JsonProblem> {
        let Some(Frame::Object { shape: id, keys_from, .. }) = self.state.frames.last() else {
            return Err(JsonProblem::Unexpected);
        };
        if shape(*id).repeats {
            return Ok(());
        }
        let (hash, keys) = (fnv(key), &self.state.keys[*keys_from..]);
        if keys.contains(&hash) {
            return Err(JsonProblem::DuplicateKey);
        }
        if keys.len() >= self.limits.keys {
            return Err(JsonProblem::ManyKeys);
        }
        self.state.keys.push(hash);
        Ok(())
    }
}

/// FNV-1a (Fowler, Noll and Vo), 64 bits: keys are short, and whoever finds two of the same hash is only refused.
fn fnv(key: &str) -> u64 {
    key.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Sink for Walk<'_> {
    fn wants_key(&self) -> Capture {
        if self.state.skipped == 0 { Capture::Text } else { Capture::Nothing }
    }

    fn wants_text(&self) -> Capture {
        let in_names = matches!(self.state.frames.last(), Some(Frame::Names { .. }));
        let spec = match self.state.next {
            Spec::Shape(id) | Spec::Split(id, _) => shape(id).scalar.unwrap_or(Spec::Unknown),
            spec => spec,
        };
        let plain = matches!(spec, Spec::Any | Spec::Scalar | Spec::Unknown) && !in_names;
        if self.state.skipped > 0 || plain { Capture::Nothing } else { Capture::Text }
    }

    fn key(&mut self, key: &str) -> Result<(), JsonProblem> {
        self.note_key(key)?;
        if self.state.frames.len() == 1 {
            self.state.top_keys = self.state.top_keys.saturating_add(1);
            self.state.top_key.clear();
            self.state.top_key.push_str(key);
        }
        self.state.key.clear();
        self.state.key.push_str(key);
        let Some(Frame::Object { shape: id, .. }) = self.state.frames.last() else {
            return Err(JsonProblem::Unexpected);
        };
        let (actions, spec) = shape(*id).key(key);
        self.state.next = spec;
        if actions.is_empty() {
            return Ok(());
        }
        let named = self.expression(actions, key, Origin::InBody, &mut false);
        named.map_err(|refusal| self.state.stop(refusal))
    }

    fn text(&mut self, text: &str) -> Result<(), JsonProblem> {
        if self.state.skipped > 0 {
            return Ok(());
        }
        let outcome = if let Some(Frame::Names { actions, wildcard, empty }) = self.state.frames.last_mut() {
            *empty = false;
            let (actions, mut after) = (*actions, *wildcard);
            let outcome = self.expression(actions, text, Origin::InBody, &mut after);
            if let Some(Frame::Names { wildcard, .. }) = self.state.frames.last_mut() {
                *wildcard = after;
            }
            outcome
        } else {
            self.leaf(self.state.next, Leaf::Text(text))
        };
        outcome.map_err(|refusal| self.state.stop(refusal))
    }

    fn scalar(&mut self, scalar: Scalar) -> Result<(), JsonProblem> {
        if self.state.skipped > 0 {
            return Ok(());
        }
        let leaf = if scalar == Scalar::False { Leaf::False } else { Leaf::Other };
        let outcome = self.leaf(self.state.next, leaf);
        outcome.map_err(|refusal| self.state.stop(refusal))
    }

    fn open(&mut self, container: Container) -> Result<(), JsonProblem> {
        if self.state.skipped > 0 {
            self.state.skipped += 1;
            return Ok(());
        }
        let outcome = self.open_value(container);
        outcome.map_err(|refusal| self.state.stop(refusal))
    }

    fn close(&mut self) -> Result<(), JsonProblem> {
        if self.state.skipped > 0 {
            self.state.skipped -= 1;
        } else {
            let outcome = self.close_frame();
            outcome.map_err(|refusal| self.state.stop(refusal))?;
        }
        if self.state.skipped == 0 {
            self.state.value_ended();
        }
        Ok(())
    }

    fn template(&mut self) {
        self.found.not_understood("{{", self.plan);
    }
}
