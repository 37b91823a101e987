use std::sync::Arc;

use rest::{Action, BodyPlan, Inquiry, Need, Origin, Refusal, Resource, Segment, Target};
use smallvec::{SmallVec, smallvec};

use crate::body::{Objects, Shape};
use crate::parameters::Parameters;
use crate::table::{self, Kind, Route};
use crate::{engine, types};

type Needs = SmallVec<[Need; 2]>;

/// What a request to Dashboards asks. `path` and `query` are undecoded, as on the wire, `path` without the base path and
/// `query` without the `?`; `content_type` is the value of the only `Content-Type` header.
///
/// The needs of a route that only passes on to the engine are those of the request that the engine gets, and a right
/// on Dashboards is worth nothing there.
pub fn inquire(
    method: &str,
    path: &str,
    query: Option<&str>,
    content_type: Option<&str>,
) -> Result<Inquiry, Refusal> {
    let segments = rest::path_segments(path)?;
    let (workspace, segments) = workspace_of(&segments);
    // Some versions look for the workspace anywhere in the path.
    if segments.iter().rev().skip(1).any(|segment| segment.raw == "w") {
        return Err(Refusal::UnknownOperation);
    }
    let parameters = Parameters::parse(query)?;
    let route = table::find(method, segments)?;
    let request = Request { route, segments, workspace, parameters, content_type };
    let (needs, body) = request.judge()?;
    Ok(Inquiry { operation: &route.operation, needs, body })
}

/// Takes `/w/<workspace>` off, as Dashboards does before it looks for the route.
fn workspace_of<'s, 'p>(segments: &'s [Segment<'p>]) -> (Option<Resource>, &'s [Segment<'p>]) {
    match segments {
        [first, id, rest @ ..] if first.raw == "w" => (Some(types::workspace(id.raw)), rest),
        _ => (None, segments),
    }
}

/// A request on a known route.
#[derive(Debug)]
pub(crate) struct Request<'r> {
    pub(crate) route: &'static Route,
    pub(crate) segments: &'r [Segment<'r>],
    workspace: Option<Resource>,
    pub(crate) parameters: Parameters<'r>,
    pub(crate) content_type: Option<&'r str>,
}

impl Request<'_> {
    fn judge(&self) -> Result<(Needs, Option<BodyPlan>), Refusal> {
        let action = self.route.operation.action;
        if !matches!(self.route.kind, Kind::Import | Kind::Typed | Kind::Create | Kind::Find) {
            self.parameters.refuse_data_source()?;
        }
        let whole = || -> Needs { smallvec![types::whole(action, Origin::Path)] };
        Ok(match self.route.kind {
            Kind::Here => (smallvec![self.need(self.here(), Origin::Path)], None),
            Kind::Whole => (whole(), None),
            Kind::Greeting => (smallvec![self.need(Resource::Greeting, Origin::Path)], None),
            Kind::Security => (smallvec![self.need(Resource::Plugin("security"), Origin::Path)], None),
            Kind::Workspace => {
                let on = types::workspace(self.variable("workspace")?);
                (smallvec![self.need(on, Origin::Path)], None)
            }
            Kind::Objects => {
                let mut needs = whole();
                needs.push(types::objects(None, None, action, Origin::Path));
                (needs, None)
            }
            Kind::Typed => {
                let mut needs = self.with_type(whole())?;
                let kind = types::known(self.variable("type")?);
                needs.push(types::objects(kind, None, action, Origin::Path));
                (needs, None)
            }
            Kind::Create => {
                // The workspaces of the body stand in for those of the path, so the place is only known at its end.
                let (needs, at_end) = match self.workspace {
                    Some(_) => (Needs::new(), self.places()),
                    None => (whole(), Needs::new()),
                };
                let kind = Some(self.variable("type")?.into());
                let body = self.objects(Shape::Create, &needs, at_end, kind);
                (self.with_type(needs)?, Some(body))
            }
            Kind::Find => (self.found(), None),
            Kind::ById => self.listed(whole(), Shape::List),
            Kind::Listed => self.listed(self.places(), Shape::List),
            Kind::Import => {
                let shape = Shape::Form { boundary: crate::multipart::boundary(self.content_type) };
                self.listed(self.places(), shape)
            }
            Kind::Export => {
                (Needs::new(), Some(self.objects(Shape::Export, &Needs::new(), self.places(), None)))
            }
            Kind::Legacy => self.listed(whole(), Shape::Legacy),
            Kind::Sample => (self.sample()?, None),
            _ => engine::judge(self)?,
        })
    }

    pub(crate) fn need(&self, on: Resource, origin: Origin) -> Need {
        Need { action: self.route.operation.action, on, origin }
    }

    /// The value of a variable that the route has.
    pub(crate) fn variable(&self, name: &'static str) -> Result<&str, Refusal> {
        let segment = self.route.variable(name, self.segments).ok_or(Refusal::UnknownOperation)?;
        Ok(&segment.text)
    }

    /// The workspace of the path, or all of Dashboards.
    fn here(&self) -> Resource {
        self.workspace.clone().unwrap_or(Resource::Dashboards { workspace: None })
    }

    /// Where objects are made: in the workspaces that the query names, and else in the one of the path.
    ///
    /// That what is there already is not overwritten from another workspace is the work of the plugin for workspaces.
    /// Only a path in a workspace tells that it is at work: without it no route begins with `/w`.
    fn places(&self) -> Needs {
        let named = self.parameters.all("workspaces").filter(|_| self.workspace.is_some());
        let mut needs: Needs = named.map(|id| self.need(types::workspace(id), Origin::Query)).collect();
        if needs.is_empty() {
            needs.push(self.need(self.here(), Origin::Path));
        }
        needs
    }

    fn with_type(&self, mut needs: Needs) -> Result<Needs, Refusal> {
        let action = self.route.operation.action;
        needs.extend(types::beyond(self.variable("type")?, action, Origin::Path));
        Ok(needs)
    }

    /// A search in saved objects. Only workspaces in the query limit it in every version: the one of the path does
    /// not where a version hands on that the query has none.
    fn found(&self) -> Needs {
        let action = self.route.operation.action;
        let named = self.parameters.all("workspaces").map(types::workspace);
        let mut needs: Needs = named.map(|place| self.need(place, Origin::Query)).collect();
        if needs.is_empty() {
            needs.push(types::whole(action, Origin::Path));
        }
        let places: Vec<_> = needs.iter().map(types::workspace_of).collect();
        let types = self.parameters.all("type").filter_map(|name| types::beyond(name, action, Origin::Query));
        needs.extend(types);
        let mut kinds: Vec<Option<&str>> = self.parameters.all("type").map(types::known).collect();
        if kinds.is_empty() {
            kinds.push(None);
        }
        for kind in kinds {
            let objects = places.iter().cloned();
            needs.extend(objects.map(|place| types::objects(kind, place, action, Origin::Query)));
        }
        needs
    }

    /// Objects of a body, in places that the request line tells.
    fn listed(&self, places: Needs, shape: Shape) -> (Needs, Option<BodyPlan>) {
        let body = self.objects(shape, &places, Needs::new(), None);
        (places, Some(body))
    }

    fn objects(&self, shape: Shape, places: &Needs, at_end: Needs, kind: Option<Box<str>>) -> BodyPlan {
        let action = self.route.operation.action;
        let content_type = self.content_type.map(rest::shorten);
        let places = places.clone();
        BodyPlan::surface(Arc::new(Objects { action, shape, places, at_end, kind, content_type }))
    }

    /// A sample data set is an index that is made or deleted, and saved objects.
    fn sample(&self) -> Result<Needs, Refusal> {
        const SETS: [&str; 3] = ["ecommerce", "flights", "logs"];
        let set = self.variable("sample")?;
        if !SETS.contains(&set) {
            return Err(Refusal::UnknownOperation);
        }
        let targets = rest::index_expression(&format!("opensearch_dashboards_sample_data_{set}"))?;
        let mut needs: Needs = smallvec![self.need(self.here(), Origin::Path)];
        for target in targets {
            for action in [Action::Manage, Action::Write] {
                needs.push(Need { action, on: Resource::Index(target.clone()), origin: Origin::Path });
            }
        }
        Ok(needs)
    }
}

/// A need on indices.
pub(crate) fn on_index(action: Action, target: Target, origin: Origin) -> Need {
    Need { action, on: Resource::Index(target), origin }
}
