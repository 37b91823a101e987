use smallvec::SmallVec;

use crate::path::Segment;
use crate::query::Query;
use crate::{
    Action, Ask, Demand, ExpressionProblem, Need, Operation, Origin, Place, Refusal, Resource, Target,
    VariableKind, expression, path, table,
};

/// What this request asks. `path` and `query` are undecoded, as on the wire, without the `?`.
pub fn classify(method: &str, path: &str, query: Option<&str>) -> Result<Ask, Refusal> {
    let segments = path::segments(path)?;
    let query = Query::parse(query)?;
    let operation = table::find(method, &segments)?;
    check_variables(operation, &segments, &query)?;
    let mut needs = SmallVec::new();
    for demand in operation.demands {
        conclude(*demand, &segments, &mut needs)?;
    }
    add_hidden(&query, &mut needs);
    add_pipelines(operation, &query, &mut needs);
    Ok(Ask { operation, needs })
}

/// Values that the engine gives a meaning of their own in place of a name.
const SPECIAL_NAMES: [&str; 7] =
    ["_all", "_local", "_master", "_cluster_manager", "_current", "_none", "_default"];

pub(crate) fn check_variables(
    operation: &Operation,
    segments: &[Segment<'_>],
    query: &Query<'_>,
) -> Result<(), Refusal> {
    for variable in operation.variables {
        if query.get(variable.name).is_some() {
            return Err(Refusal::VariableInQuery { name: variable.name, path: operation.path });
        }
        let text = segments.get(variable.segment).map_or("", |segment| &*segment.text);
        let looks_like_route = match variable.kind {
            VariableKind::Id => false,
            VariableKind::Index => variable.segment == 0 && text.starts_with('_') && text != "_all",
            VariableKind::Name => is_route_word(text) && !SPECIAL_NAMES.contains(&text),
        };
        if looks_like_route {
            return Err(Refusal::UnknownOperation);
        }
    }
    Ok(())
}

/// `_search`, `_anything`: routes are spelt so. Generated ids may begin with `_` too, but hold digits or
/// upper case.
fn is_route_word(text: &str) -> bool {
    text.starts_with('_') && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())
}

pub(crate) fn conclude(
    demand: Demand,
    segments: &[Segment<'_>],
    needs: &mut SmallVec<[Need; 2]>,
) -> Result<(), Refusal> {
    let Demand { action, on } = demand;
    let mut push = |on, origin| needs.push(Need { action, on, origin });
    match on {
        Place::Path { segment } => {
            let text = segments.get(segment).map_or("", |segment| &*segment.text);
            let targets = expression::targets(text)?;
            if targets.is_empty() {
                return Err(Refusal::Expression {
                    problem: ExpressionProblem::Exclusion,
                    element: text.into(),
                });
            }
            for target in targets {
                push(Resource::Index(target), Origin::Path);
            }
        }
        Place::All => push(Resource::Index(Target::everything()), Origin::NoIndexNamed),
        Place::Body => any_index(action, Origin::Body, needs),
        Place::Handle => any_index(action, Origin::Handle, needs),
        Place::QueryLanguage => any_index(action, Origin::QueryLanguage, needs),
        Place::Cluster => push(Resource::Cluster, Origin::Path),
        Place::Dashboards => push(Resource::Dashboards { workspace: None }, Origin::Path),
        Place::Plugin(name) => push(Resource::Plugin(name), Origin::Path),
        Place::Greeting => push(Resource::Greeting, Origin::Path),
    }
    Ok(())
}

/// Any name at all. A token of `*` is taken at its word here: what stands in a body is not looked at yet.
fn any_index(action: Action, origin: Origin, needs: &mut SmallVec<[Need; 2]>) {
    let need = Need { action, on: Resource::Index(Target::everything()), origin };
    if !needs.contains(&need) {
        needs.push(need);
    }
}

/// Whether `expand_wildcards` lets a leading `*` reach names that begin with a dot.
pub(crate) fn asks_for_hidden(query: &Query<'_>) -> bool {
    query.get("expand_wildcards").is_some_and(states_include_hidden)
}

/// Whether these states of indices, separated by commas, include hidden ones.
pub(crate) fn states_include_hidden(states: &str) -> bool {
    let hidden = |state: &str| ["hidden", "all"].iter().any(|word| state.trim().eq_ignore_ascii_case(word));
    states.split(',').any(hidden)
}

/// With hidden indices asked for, a leading `*` reaches names that begin with a dot.
pub(crate) fn add_hidden(query: &Query<'_>, needs: &mut SmallVec<[Need; 2]>) {
    if !asks_for_hidden(query) {
        return;
    }
    let before = needs.len();
    for at in 0..before {
        let need = &needs[at];
        let Resource::Index(target) = &need.on else {
            continue;
        };
        if let Some(hidden) = target.with_hidden() {
            let added = Need { action: need.action, on: Resource::Index(hidden), origin: Origin::Query };
            // Only among the added ones: a long list of targets must not cost its square.
            if !needs[before..].contains(&added) {
                needs.push(added);
            }
        }
    }
}

pub(crate) fn add_pipelines(operation: &Operation, query: &Query<'_>, needs: &mut SmallVec<[Need; 2]>) {
    if query.get("pipeline").is_none() && query.get("search_pipeline").is_none() {
        return;
    }
    for demand in operation.demands {
        if matches!(demand.on, Place::Path { .. } | Place::All | Place::Body) {
            any_index(demand.action, Origin::Query, needs);
        }
    }
}
