//! Follows JSON with saved objects in it for their types and workspaces.

use std::hash::{DefaultHasher, Hash, Hasher};

use rest::json::{Capture, Container, Lexer, Scalar, Sink};
use rest::{Action, BodyRefusal, JsonProblem, Need, Origin};
use smallvec::SmallVec;

use crate::types;

/// What the outermost value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Root {
    /// An array of saved objects.
    List,
    /// A saved object, or the details that end an export.
    Line,
    /// The rest of a saved object whose type is in the path.
    Create,
    /// A choice of objects.
    Export,
    /// An object that holds a list.
    Legacy,
}

/// What was found, until the caller takes it.
#[derive(Debug)]
pub(crate) struct Found {
    action: Action,
    needs: Vec<Need>,
    told: Vec<Need>,
    at_end: SmallVec<[Need; 2]>,
    /// The types of the objects, and the workspaces that they are in.
    kinds: Vec<Option<&'static str>>,
    places: Vec<Option<Box<str>>>,
}

/// Types and workspaces that are told once; beyond, they may be told again.
const TOLD: usize = 64;

impl Found {
    /// Of the objects of a body: what is done to them, where they are as far as the request line tells, and their type if it does.
    pub(crate) fn new(
        action: Action,
        places: &[Need],
        at_end: SmallVec<[Need; 2]>,
        kind: Option<&str>,
    ) -> Self {
        Self {
            action,
            needs: Vec::new(),
            told: Vec::new(),
            at_end,
            kinds: kind.into_iter().map(types::known).collect(),
            places: places.iter().map(types::workspace_of).collect(),
        }
    }

    pub(crate) fn drain(&mut self, needs: &mut Vec<Need>) {
        needs.append(&mut self.needs);
    }

    /// The body has ended.
    pub(crate) fn end(&mut self) {
        let at_end = std::mem::take(&mut self.at_end);
        for need in at_end {
            self.place(types::workspace_of(&need));
            self.tell(need);
        }
        if self.kinds.is_empty() {
            self.kinds.push(None);
        }
        for kind in &self.kinds {
            let objects = self.places.iter().cloned();
            let objects = objects.map(|place| types::objects(*kind, place, self.action, Origin::InBody));
            self.needs.extend(objects);
        }
    }

    fn place(&mut self, workspace: Option<Box<str>>) {
        // Where there are very many, they are anywhere.
        let workspace = workspace.filter(|_| self.places.len() < TOLD);
        if !self.places.contains(&workspace) {
            self.places.push(workspace);
        }
    }

    fn tell(&mut self, need: Need) {
        if self.told.contains(&need) {
            return;
        }
        if self.told.len() < TOLD {
            self.told.push(need.clone());
        }
        self.needs.push(need);
    }

    fn kind(&mut self, name: &str) {
        let kind = types::known(name);
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
        if let Some(need) = types::beyond(name, self.action, Origin::InBody) {
            self.tell(need);
        }
    }

    fn workspace(&mut self, id: &str) {
        self.at_end.clear();
        let need = Need { action: self.action, on: types::workspace(id), origin: Origin::InBody };
        self.place(types::workspace_of(&need));
        self.tell(need);
    }

    fn whole(&mut self) {
        self.place(None);
        self.tell(types::whole(self.action, Origin::InBody));
    }
}

/// What the next value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    Root,
    /// A saved object.
    Object,
    /// A list of them.
    Objects,
    /// Its type.
    Type,
    /// One type or a list of them.
    Types,
    /// A list of workspaces.
    Workspaces,
    /// One of them.
    Workspace,
    /// Nothing in it matters.
    Any,
}

#[derive(Clone, Copy, Debug)]
enum Frame {
    Object {
        keys_from: usize,
        typed: bool,
        details: bool,
    },
    /// The outermost object where that is no saved object.
    Root {
        keys_from: usize,
    },
    List {
        of: Next,
        empty: bool,
    },
}

/// Where in the document the reader is.
#[derive(Debug)]
pub(crate) struct Walk {
    root: Root,
    frames: Vec<Frame>,
    /// Hashes of the keys of all open objects in which keys matter, the innermost last.
    keys: Vec<u64>,
    keys_limit: usize,
    next: Next,
    skipped: u32,
    untyped: bool,
}

impl Walk {
    pub(crate) fn new(root: Root, keys_limit: usize) -> Self {
        Self {
            root,
            frames: Vec::new(),
            keys: Vec::new(),
            keys_limit,
            next: Next::Root,
            skipped: 0,
            untyped: false,
        }
    }

    /// Prepares for the next document.
    pub(crate) fn reset(&mut self) {
        self.frames.clear();
        self.keys.clear();
        self.next = Next::Root;
        self.skipped = 0;
    }

    /// Reads the next bytes; a refusal counts from the start of them.
    pub(crate) fn read(
        &mut self,
        lexer: &mut Lexer,
        found: &mut Found,
        bytes: &[u8],
    ) -> Result<(), BodyRefusal> {
        let outcome = lexer.feed(bytes, &mut At { walk: self, found });
        outcome.map_err(|(at, problem)| {
            if std::mem::take(&mut self.untyped) {
                BodyRefusal::Untyped { at: at as u64 }
            } else {
                BodyRefusal::json(at, problem)
            }
        })
    }

    /// Stops the lexer, whose own problem is then not told.
    fn refuse_untyped(&mut self) -> Result<(), JsonProblem> {
        self.untyped = true;
        Err(JsonProblem::Unexpected)
    }

    /// Refuses a second key of the same name in the open object.
    fn note_key(&mut self, key: &str, keys_from: usize) -> Result<(), JsonProblem> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let (hash, keys) = (hasher.finish(), &self.keys[keys_from..]);
        if keys.contains(&hash) {
            return Err(JsonProblem::DuplicateKey);
        }
        if keys.len() >= self.keys_limit {
            return Err(JsonProblem::ManyKeys);
        }
        self.keys.push(hash);
        Ok(())
    }

    /// A value ended: in a list the next one means the same.
    fn value_ended(&mut self) {
        if let Some(Frame::List { of, empty }) = self.frames.last_mut() {
            *empty = false;
            self.next = *of;
        }
    }

    fn open_object(&mut self) {
        let keys_from = self.keys.len();
        self.frames.push(Frame::Object { keys_from, typed: false, details: false });
    }

    fn open_list(&mut self, of: Next) {
        self.next = of;
        self.frames.push(Frame::List { of, empty: true });
    }
}

/// A walk at work.
struct At<'w> {
    walk: &'w mut Walk,
    found: &'w mut Found,
}

impl At<'_> {
    /// A value that opens nothing; `None` when it is no text.
    fn leaf(&mut self, text: Option<&str>) -> Result<(), JsonProblem> {
        match (self.walk.next, text) {
            (Next::Any | Next::Root, _) => {}
            (Next::Type | Next::Types, Some(name)) => {
                self.found.kind(name);
                if self.walk.next == Next::Type
                    && let Some(Frame::Object { typed, .. }) = self.walk.frames.last_mut()
                {
                    *typed = true;
                }
            }
            (Next::Workspace, Some(id)) => self.found.workspace(id),
            // Dashboards takes anything else there for no workspace at all, or refuses it.
            (Next::Workspace | Next::Workspaces, _) => {
                self.found.at_end.clear();
                self.found.whole();
            }
            (Next::Object | Next::Objects | Next::Type | Next::Types, _) => {
                return self.walk.refuse_untyped();
            }
        }
        self.walk.value_ended();
        Ok(())
    }

    fn open_value(&mut self, object: bool) -> Result<(), JsonProblem> {
        let keys_from = self.walk.keys.len();
        match (self.walk.next, self.walk.root) {
            (Next::Root, Root::Line) | (Next::Object, _) if object => self.walk.open_object(),
            (Next::Root, Root::List) | (Next::Objects, _) if !object => self.walk.open_list(Next::Object),
            (Next::Root, Root::Create | Root::Export | Root::Legacy) if object => {
                self.walk.frames.push(Frame::Root { keys_from });
            }
            (Next::Types, _) if !object => self.walk.open_list(Next::Type),
            (Next::Workspaces, _) if !object => self.walk.open_list(Next::Workspace),
            (Next::Any, _) => self.walk.skipped = 1,
            (Next::Workspaces | Next::Workspace, _) => {
                self.found.at_end.clear();
                self.found.whole();
                self.walk.skipped = 1;
            }
            _ => return self.walk.refuse_untyped(),
        }
        Ok(())
    }

    fn close_frame(&mut self) -> Result<(), JsonProblem> {
        match self.walk.frames.pop() {
            Some(Frame::Object { keys_from, typed, details }) => {
                self.walk.keys.truncate(keys_from);
                if !typed && !details {
                    return self.walk.refuse_untyped();
                }
            }
            Some(Frame::Root { keys_from }) => self.walk.keys.truncate(keys_from),
            // An empty list of workspaces stands for none, and so for no limit.
            Some(Frame::List { of: Next::Workspace, empty: true }) => {
                self.found.at_end.clear();
                self.found.whole();
            }
            _ => {}
        }
        Ok(())
    }
}

impl Sink for At<'_> {
    fn wants_key(&self) -> Capture {
        if self.walk.skipped == 0 { Capture::Text } else { Capture::Nothing }
    }

    fn wants_text(&self) -> Capture {
        let matters = matches!(self.walk.next, Next::Type | Next::Types | Next::Workspace);
        if matters && self.walk.skipped == 0 { Capture::Text } else { Capture::Nothing }
    }

    fn key(&mut self, key: &str) -> Result<(), JsonProblem> {
        let root = self.walk.root;
        self.walk.next = match self.walk.frames.last_mut() {
            Some(Frame::Object { keys_from, details, .. }) => {
                *details |= root == Root::Line && key == "exportedCount";
                let keys_from = *keys_from;
                self.walk.note_key(key, keys_from)?;
                if key == "type" { Next::Type } else { Next::Any }
            }
            Some(Frame::Root { keys_from }) => {
                let keys_from = *keys_from;
                self.walk.note_key(key, keys_from)?;
                match (root, key) {
                    (Root::Create | Root::Export, "workspaces") => Next::Workspaces,
                    (Root::Export, "type") => Next::Types,
                    (Root::Export | Root::Legacy, "objects") => {
                        // What is listed is reached by its id, in whichever workspace.
                        self.found.whole();
                        Next::Objects
                    }
                    (Root::Export, "includeReferencesDeep") => {
                        self.found.whole();
                        Next::Any
                    }
                    _ => Next::Any,
                }
            }
            _ => return Err(JsonProblem::Unexpected),
        };
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), JsonProblem> {
        if self.walk.skipped > 0 { Ok(()) } else { self.leaf(Some(text)) }
    }

    fn scalar(&mut self, _: Scalar) -> Result<(), JsonProblem> {
        if self.walk.skipped > 0 { Ok(()) } else { self.leaf(None) }
    }

    fn open(&mut self, container: Container) -> Result<(), JsonProblem> {
        if self.walk.skipped > 0 {
            self.walk.skipped += 1;
            return Ok(());
        }
        self.open_value(container == Container::Object)
    }

    fn close(&mut self) -> Result<(), JsonProblem> {
        if self.walk.skipped > 0 {
            self.walk.skipped -= 1;
        } else {
            self.close_frame()?;
        }
        if self.walk.skipped == 0 {
            self.walk.value_ended();
        }
        Ok(())
    }

    fn template(&mut self) {}
}
