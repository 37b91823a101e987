//! One caller's requests: the handles in them unwrapped, and the needs that follow.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rest::{Need, Operation, Origin};

use crate::{
    Binding, Keys, Kind, Owner, Places, Reach, RewriteError, UnknownHandle, Used, places, rewrite,
    wrapped::PREFIX,
};

/// What is not encoded in a path or a query (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A caller on one cluster, with the keys that bind handles.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'c> {
    /// The keys.
    pub keys: &'c Keys,
    /// The cluster's name in the configuration.
    pub cluster: &'c str,
    /// Who asks.
    pub owner: &'c Owner,
}

/// A path and query, undecoded, the query without its `?`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// The path.
    pub path: String,
    /// The query.
    pub query: Option<String>,
}

/// The handles that a request used.
#[derive(Clone, Debug, Default)]
pub struct UsedHandles {
    pub(crate) handles: Vec<UsedHandle>,
    /// Some could be of anybody.
    anybodys: bool,
    /// One was named as the engine does, and no list of the engine's tells it.
    raw: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct UsedHandle {
    pub(crate) kind: Kind,
    pub(crate) wrapped: String,
    pub(crate) original: String,
    pub(crate) reach: Reach,
}

impl Caller<'_> {
    pub(crate) fn binding(&self, kind: Kind) -> Binding<'_> {
        Binding { cluster: self.cluster, kind, owner: self.owner }
    }

    /// Whether the body of this operation can name a handle, so that it has to be given to [`Self::body`] whole.
    ///
    /// A search of named indices takes no point in time: the engine refuses the two together.
    pub fn reads_body(operation: &Operation) -> bool {
        let search_of_indices = operation.name == "search" && operation.path != "/_search";
        !search_of_indices && places(operation.name).is_some_and(|places| places.in_body().next().is_some())
    }

    /// The request line with the engine's handles in it. Path and query are those that `rest` accepted.
    ///
    /// What does not look like a wrapped handle stays as it is, and [`UsedHandles::needs`] takes account of it.
    pub fn line(
        &self,
        operation: &Operation,
        path: &str,
        query: Option<&str>,
        used: &mut UsedHandles,
    ) -> Result<Line, UnknownHandle> {
        let mut line = Line { path: path.to_owned(), query: query.map(str::to_owned) };
        for place in places(operation.name).map_or(&[][..], |places| places.used) {
            match *place {
                Used::Variable { name, kind, several } => {
                    let Some(variable) = operation.variables.iter().find(|variable| variable.name == name)
                    else {
                        continue;
                    };
                    let mut segments: Vec<String> = line.path.split('/').map(str::to_owned).collect();
                    // What stands before the first slash is no segment.
                    if let Some(segment) = segments.get_mut(variable.segment + 1) {
                        let text = percent_decode_str(segment).decode_utf8().map_err(|_| UnknownHandle)?;
                        *segment = self.several(kind, several, &text, used)?;
                    }
                    line.path = segments.join("/");
                }
                Used::Parameter { name, kind, several } => {
                    let Some(query) = &line.query else { continue };
                    let mut parameters = Vec::new();
                    for parameter in query.split('&') {
                        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                        parameters.push(if decoded(key).as_deref() == Some(name) {
                            let text = decoded(value).ok_or(UnknownHandle)?;
                            format!("{key}={}", self.several(kind, several, &text, used)?)
                        } else {
                            parameter.to_owned()
                        });
                    }
                    line.query = Some(parameters.join("&"));
                }
                Used::Body(_) => {}
            }
        }
        Ok(line)
    }

    /// The body with the engine's handles in it; to be asked where [`Self::reads_body`] says so and there is a body.
    pub fn body(
        &self,
        operation: &Operation,
        body: &[u8],
        used: &mut UsedHandles,
    ) -> Result<Vec<u8>, RewriteError<UnknownHandle>> {
        let fields = places(operation.name).into_iter().flat_map(Places::in_body);
        rewrite(fields, body, &mut |kind, text| self.take(kind, text, used).map(Some))
    }

    fn several(
        &self,
        kind: Kind,
        several: bool,
        text: &str,
        used: &mut UsedHandles,
    ) -> Result<String, UnknownHandle> {
        let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        if !several {
            return Ok(encode(&self.take(kind, text, used)?));
        }
        let taken: Result<Vec<String>, _> =
            text.split(',').map(|text| Ok(encode(&self.take(kind, text, used)?))).collect();
        Ok(taken?.join(","))
    }

    fn take(&self, kind: Kind, text: &str, used: &mut UsedHandles) -> Result<String, UnknownHandle> {
        if !text.starts_with(PREFIX) {
            // Operators name tasks as the list of all tasks does, and free the scrolls of all.
            let listed = kind == Kind::Task || (kind == Kind::Scroll && text == "_all");
            used.raw |= !listed;
            used.anybodys = true;
            return Ok(text.to_owned());
        }
        let unwrapped = self.keys.unwrap(&self.binding(kind), text)?;
        let original = unwrapped.original.to_owned();
        used.handles.push(UsedHandle {
            kind,
            wrapped: text.to_owned(),
            original: original.clone(),
            reach: unwrapped.reach,
        });
        Ok(original)
    }
}

impl UsedHandles {
    /// Whether the request used no handle that was given to this caller.
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// Whether the request used a handle as the engine names it, which nobody is told who may not use the handles of
    /// all: to such a caller it is unknown. Tasks do not count, since the list of all tasks tells them.
    pub fn has_raw(&self) -> bool {
        self.raw
    }

    /// Notes that a part of the request could name handles and was not read, so that it keeps all its needs.
    pub fn note_unread(&mut self) {
        self.anybodys = true;
    }

    /// Whether the request used a handle of this kind that was given to this caller.
    pub fn has(&self, kind: Kind) -> bool {
        self.handles.iter().any(|handle| handle.kind == kind)
    }

    /// What all handles of this kind reach together.
    pub fn reach(&self, kind: Kind) -> Option<Reach> {
        Reach::union(self.handles.iter().filter(|handle| handle.kind == kind).map(|handle| &handle.reach))
    }

    /// What the request needs, given what `rest` says of its line and body: for a handle that could stand for anything,
    /// what this one stands for.
    ///
    /// If a handle was used as the engine names it, or none at all, the needs stay as they are, with those of the others.
    pub fn needs(&self, operation: &Operation, asked: impl IntoIterator<Item = Need>) -> Vec<Need> {
        let known = !self.handles.is_empty() && !self.anybodys;
        // With a point in time, a search that names no index is not one of all indices.
        let of_pit = known && operation.name == "search" && self.has(Kind::Pit);
        let replaced = |need: &Need| match need.origin {
            Origin::Handle => known,
            Origin::NoIndexNamed => of_pit,
            _ => false,
        };
        let mut needs: Vec<Need> = asked.into_iter().filter(|need| !replaced(need)).collect();
        if let Some(reach) = Reach::union(self.handles.iter().map(|handle| &handle.reach)) {
            needs.extend(reach.needs());
        }
        needs
    }
}

/// The decoded value of a parameter in an undecoded query.
pub fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decoded(key)? == name { decoded(value) } else { None }
    })
}

/// A name or value of a query, decoded as `rest` does.
fn decoded(raw: &str) -> Option<String> {
    let spaced = raw.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}
