//! What the bodies of saved objects are read for.

use rest::json::Lexer;
use rest::{Action, BodyLimits, BodyRefusal, MultipartProblem, Need, Origin, SurfaceBody, SurfaceReader};
use smallvec::SmallVec;

use crate::form::Form;
use crate::types;
use crate::walk::{Found, Root, Walk};

/// A body with saved objects in it.
#[derive(Debug)]
pub(crate) struct Objects {
    /// What is done to them.
    pub(crate) action: Action,
    pub(crate) shape: Shape,
    /// The places that the objects are in, as far as the request line tells.
    pub(crate) places: SmallVec<[Need; 2]>,
    /// What is needed at the end, unless the body names workspaces of its own.
    pub(crate) at_end: SmallVec<[Need; 2]>,
    /// Their type, where the path has it.
    pub(crate) kind: Option<Box<str>>,
    pub(crate) content_type: Option<Box<str>>,
}

/// How the body is built.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// An array of objects.
    List,
    /// The attributes of one object, and its workspaces.
    Create,
    /// A choice of objects.
    Export,
    /// An object that holds a list under `objects`.
    Legacy,
    /// A file in a form. Without a boundary it is refused as soon as there is a byte of it.
    Form { boundary: Option<Box<str>> },
}

impl SurfaceBody for Objects {
    fn everything(&self) -> SmallVec<[Need; 2]> {
        let mut needs = self.at_end.clone();
        for action in [self.action, Action::Manage, Action::Admin] {
            needs.push(types::whole(action, Origin::Body));
        }
        needs.push(types::objects(None, None, self.action, Origin::Body));
        needs
    }

    fn reader(&self, limits: BodyLimits) -> Box<dyn SurfaceReader> {
        let found = Found::new(self.action, &self.places, self.at_end.clone(), self.kind.as_deref());
        let root = match &self.shape {
            Shape::List => Root::List,
            Shape::Create => Root::Create,
            Shape::Export => Root::Export,
            Shape::Legacy => Root::Legacy,
            Shape::Form { boundary: Some(boundary) } => {
                return Box::new(Form::new(boundary, found, limits));
            }
            Shape::Form { boundary: None } => return Box::new(NoBoundary),
        };
        if !is_json(self.content_type.as_deref()) {
            return Box::new(OtherMedia(self.content_type.clone().unwrap_or_default(), found));
        }
        let lexer = Lexer::new(limits.depth, limits.text, false);
        let lexer = if root == Root::List { lexer.with_arrays() } else { lexer };
        Box::new(Json { lexer, walk: Walk::new(root, limits.keys), found, offset: 0 })
    }
}

fn is_json(content_type: Option<&str>) -> bool {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

#[derive(Debug)]
struct Json {
    lexer: Lexer,
    walk: Walk,
    found: Found,
    offset: u64,
}

impl SurfaceReader for Json {
    fn feed(&mut self, bytes: &[u8], needs: &mut Vec<Need>) -> Result<(), BodyRefusal> {
        let outcome = self.walk.read(&mut self.lexer, &mut self.found, bytes);
        let outcome = outcome.map_err(|refusal| refusal.moved(self.offset));
        self.offset += bytes.len() as u64;
        self.found.drain(needs);
        outcome
    }

    fn finish(mut self: Box<Self>, needs: &mut Vec<Need>) -> Result<(), BodyRefusal> {
        // Dashboards takes no body for an empty one.
        if self.offset > 0 {
            self.lexer.finish().map_err(|problem| BodyRefusal::Json { at: self.offset, problem })?;
        }
        self.found.end();
        self.found.drain(needs);
        Ok(())
    }
}

/// A body of a media type that is not read.
#[derive(Debug)]
struct OtherMedia(Box<str>, Found);

impl SurfaceReader for OtherMedia {
    fn feed(&mut self, bytes: &[u8], _: &mut Vec<Need>) -> Result<(), BodyRefusal> {
        if bytes.is_empty() { Ok(()) } else { Err(BodyRefusal::MediaType { found: self.0.clone() }) }
    }

    fn finish(mut self: Box<Self>, needs: &mut Vec<Need>) -> Result<(), BodyRefusal> {
        self.1.end();
        self.1.drain(needs);
        Ok(())
    }
}

/// A form whose boundary is not understood.
#[derive(Debug)]
struct NoBoundary;

impl SurfaceReader for NoBoundary {
    fn feed(&mut self, _: &[u8], _: &mut Vec<Need>) -> Result<(), BodyRefusal> {
        Err(BodyRefusal::Multipart { at: 0, problem: MultipartProblem::Boundary })
    }

    fn finish(self: Box<Self>, _: &mut Vec<Need>) -> Result<(), BodyRefusal> {
        Err(BodyRefusal::Multipart { at: 0, problem: MultipartProblem::Boundary })
    }
}
