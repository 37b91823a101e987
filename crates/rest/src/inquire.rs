use smallvec::SmallVec;

use crate::body::{self, ActionSet, BodyPlan, EnginePlan, Media, Unnamed};
use crate::classify::{add_hidden, add_pipelines, asks_for_hidden, check_variables, conclude};
use crate::query::Query;
use crate::{Need, Operation, Origin, Place, Refusal, Resource, Target, path, table};

/// What a request asks, with its body still to be read.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// The row of the table that the engine will dispatch to.
    pub operation: &'static Operation,
    /// What the request line alone needs: every one must be allowed. Empty when all depends on the body.
    pub needs: SmallVec<[Need; 2]>,
    /// What the body must be read for; `None` when nothing in it matters, or `needs` already cover whatever it
    /// says.
    pub body: Option<BodyPlan>,
}

impl Inquiry {
    /// The same for a body that nobody reads: what it can need is needed.
    #[must_use]
    pub fn unread(mut self) -> Self {
        if let Some(plan) = self.body.take() {
            self.needs.extend(plan.everything());
        }
        self
    }
}

/// What this request asks, given its request line and media type. `path` and `query` are undecoded, as on the
/// wire, without the `?`; `content_type` is the value of the only `Content-Type` header.
///
/// Unlike [`crate::classify`], which needs everything where a body can name any index, this leaves such bodies
/// to be read.
pub fn inquire(
    method: &str,
    path: &str,
    query: Option<&str>,
    content_type: Option<&str>,
) -> Result<Inquiry, Refusal> {
    let segments = path::segments(path)?;
    let query = Query::parse(query)?;
    let operation = table::find(method, &segments)?;
    check_variables(operation, &segments, &query)?;
    let row = body::row(operation.name);
    let mut needs = SmallVec::new();
    for demand in operation.demands {
        let in_body = matches!(demand.on, Place::Body | Place::QueryLanguage);
        if !(in_body && row.is_some()) {
            conclude(*demand, &segments, &mut needs)?;
        }
    }
    let body = row.map(|row| {
        let named = named_in_path(operation, &needs);
        let unnamed = match (named.is_empty(), row.everything) {
            (false, _) => Unnamed::Path(named),
            (true, true) => Unnamed::Everything,
            (true, false) => Unnamed::Refused,
        };
        let everything = everything(operation).unwrap_or(row.actions);
        let hidden = asks_for_hidden(&query);
        let media = Media::of(content_type);
        BodyPlan::engine(EnginePlan { body: row, unnamed, everything, hidden, media })
    });
    add_hidden(&query, &mut needs);
    add_pipelines(operation, &query, &mut needs);
    let inquiry = Inquiry { operation, needs, body };
    let beyond = row.is_some_and(|row| row.beyond.iter().any(|name| query.get(name).is_some()));
    Ok(if beyond { inquiry.unread() } else { inquiry })
}

/// The targets in the variable `{index}` of the path, which stand in where the body names none.
fn named_in_path(operation: &Operation, needs: &[Need]) -> SmallVec<[Target; 2]> {
    if !operation.path.starts_with("/{index}") {
        return SmallVec::new();
    }
    // The same segment can have several demands with different actions, and `{target}` follows `{index}`.
    let first = needs.first().map(|need| need.action);
    let mut targets = SmallVec::new();
    for need in needs.iter().take_while(|need| Some(need.action) == first && need.origin == Origin::Path) {
        if let Resource::Index(target) = &need.on {
            targets.push(target.clone());
        }
    }
    targets
}

/// The actions that the operation itself demands on indices.
fn everything(operation: &Operation) -> Option<ActionSet> {
    let on_indices =
        |place: Place| matches!(place, Place::Path { .. } | Place::All | Place::Body | Place::QueryLanguage);
    let demands = operation.demands.iter().filter(|demand| on_indices(demand.on));
    let actions = demands.fold(ActionSet::default(), |set, demand| set.with(demand.action));
    (!actions.is_empty()).then_some(actions)
}
