//! Routes that ask the engine and only pass through Dashboards: judged as what the engine is asked.

use rest::{Action, BodyPlan, Method, Need, Origin, Refusal, Resource, Target};
use smallvec::{SmallVec, smallvec};

use crate::inquire::{Request, on_index};
use crate::table::Kind;

type Judged = (SmallVec<[Need; 2]>, Option<BodyPlan>);

pub(crate) fn judge(request: &Request<'_>) -> Result<Judged, Refusal> {
    match request.route.kind {
        Kind::Console => console(request),
        Kind::Search => search(request),
        Kind::Msearch => Ok(named(request, "dashboards.msearch", SmallVec::new())),
        Kind::Preview => Ok(named(request, "dashboards.preview", SmallVec::new())),
        Kind::Suggest => {
            let targets = rest::index_expression(request.variable("index")?)?;
            let (mut needs, body) = named(request, "dashboards.suggest", targets.clone());
            needs.extend(targets.into_iter().map(|target| read(request, target, Origin::Path)));
            Ok((needs, body))
        }
        Kind::Fields => fields(request),
        Kind::Resolve => resolve(request),
        _ => {
            let mut needs = everything(request, Origin::Body);
            if request.route.operation.method == Method::Post {
                // A body that is not read can name another cluster's data source, too.
                needs.push(Need { action: Action::Admin, on: Resource::Cluster, origin: Origin::Body });
            }
            Ok((needs, None))
        }
    }
}

/// The console sends any request on. Its path is taken as the engine would take it off the wire, since Dashboards puts
/// the decoded text there.
fn console(request: &Request<'_>) -> Result<Judged, Refusal> {
    let method = request.parameters.required("method")?.to_ascii_uppercase();
    let target = request.parameters.required("path")?;
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let rooted;
    let path = if path.starts_with('/') {
        path
    } else {
        rooted = format!("/{path}");
        &rooted
    };
    let asked = rest::inquire(&method, path, query, request.content_type)?;
    Ok((asked.needs, asked.body))
}

/// The strategies of the core; those of plugins run other languages, or against other systems.
const STRATEGIES: [&str; 2] = ["opensearch", "opensearch-with-long-numerals"];

fn search(request: &Request<'_>) -> Result<Judged, Refusal> {
    if STRATEGIES.contains(&request.variable("strategy")?) {
        Ok(named(request, "dashboards.search", SmallVec::new()))
    } else {
        Err(Refusal::UnknownOperation)
    }
}

/// A body that the tables of `rest` read.
fn named(request: &Request<'_>, row: &str, targets: SmallVec<[Target; 2]>) -> Judged {
    match BodyPlan::named(row, targets, request.content_type) {
        Some(plan) => (SmallVec::new(), Some(plan)),
        None => (everything(request, Origin::NotUnderstood), None),
    }
}

/// Parameters of the route for fields that choose nothing.
const HARMLESS: [&str; 3] = ["pattern", "meta_fields", "allow_no_index"];

fn fields(request: &Request<'_>) -> Result<Judged, Refusal> {
    let pattern = request.parameters.required("pattern")?;
    let targets = rest::index_expression(pattern)?;
    let mut needs: SmallVec<[Need; 2]> =
        targets.into_iter().map(|target| read(request, target, Origin::Query)).collect();
    if !request.parameters.only(&HARMLESS) || needs.is_empty() {
        needs.extend(everything(request, Origin::Query));
    }
    Ok((needs, None))
}

/// As `GET /_resolve/index/<name>` of the engine.
fn resolve(request: &Request<'_>) -> Result<Judged, Refusal> {
    let segment = request.route.variable("query", request.segments).ok_or(Refusal::UnknownOperation)?;
    let states = request.parameters.all("expand_wildcards").collect::<Vec<_>>().join(",");
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b',' || byte == b'_';
    let query = (!states.is_empty()).then(|| format!("expand_wildcards={states}"));
    if !states.bytes().all(plain) {
        return Ok((everything(request, Origin::Query), None));
    }
    let path = format!("/_resolve/index/{}", segment.raw);
    let asked = rest::inquire("GET", &path, query.as_deref(), None)?;
    Ok((asked.needs, None))
}

fn everything(request: &Request<'_>, origin: Origin) -> SmallVec<[Need; 2]> {
    smallvec![read(request, Target::everything(), origin)]
}

fn read(request: &Request<'_>, target: Target, origin: Origin) -> Need {
    on_index(request.route.operation.action, target, origin)
}
