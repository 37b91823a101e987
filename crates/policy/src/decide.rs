//! The decision about one wish.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use jiff::Timestamp;
use rest::{Action, Resource};

use crate::{PolicySet, cache::Key, slice::Slice};

/// Whether a client asks for itself or a person does.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// `Agent`
    Agent,
    /// `User`
    User,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// As which type policies speak of them.
    pub kind: Kind,
    /// By which id. With several providers, whoever calls this sees to it that no two of them can yield the same.
    pub id: &'a str,
    /// The name of the provider.
    pub provider: &'a str,
    /// The groups they are in.
    pub groups: &'a [Box<str>],
}

/// What is asked for: one need of a request.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The name of the operation.
    pub operation: &'a str,
    /// What the operation mainly does.
    pub main: Action,
    /// What this need is to do.
    pub action: Action,
    /// To what.
    pub on: &'a Resource,
}

/// Under which circumstances: the context of the policies.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// The name of the cluster.
    pub cluster: &'a str,
    /// The client.
    pub client: &'a str,
    /// The scopes of the token.
    pub scopes: &'a [Box<str>],
    /// Where the request comes from.
    pub source: IpAddr,
    /// When.
    pub time: Timestamp,
    /// How long ago the token was issued.
    pub token_age: Duration,
    /// The `acr` claim.
    pub acr: Option<&'a str>,
    /// The tenant.
    pub tenant: Option<&'a str>,
}

impl<'a> Circumstances<'a> {
    /// Now, with a new token without scopes.
    pub fn new(cluster: &'a str, client: &'a str, source: IpAddr) -> Self {
        Self {
            cluster,
            client,
            scopes: &[],
            source,
            time: Timestamp::now(),
            token_age: Duration::ZERO,
            acr: None,
            tenant: None,
        }
    }
}

/// What the policies say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// At least one policy permits it and none forbids it.
    Allow {
        /// Ids of the policies that permit it.
        permits: Vec<Arc<str>>,
    },
    /// It is forbidden, or not permitted.
    Deny {
        /// Ids of the policies that forbid it; empty when none permits it.
        forbids: Vec<Arc<str>>,
        /// Ids of permits for the same asker and action that hold elsewhere or under other circumstances.
        near: Vec<Arc<str>>,
        /// Policies that could not be evaluated, with the reason. Whatever they would have said, the request is denied.
        failed: Vec<String>,
    },
}

impl Decision {
    /// Whether it is allowed.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow { .. })
    }
}

impl Asker<'_> {
    pub(crate) fn uid(&self) -> EntityUid {
        let kind = match self.kind {
            Kind::Agent => EntityType::Agent,
            Kind::User => EntityType::User,
        };
        uid(kind, self.id)
    }

    fn entity(&self) -> Option<Entity> {
        let groups = self.groups.iter().map(|group| uid(EntityType::Group, group)).collect();
        let provider = RestrictedExpression::new_string(self.provider.to_owned());
        Entity::new(self.uid(), HashMap::from([("provider".to_owned(), provider)]), groups).ok()
    }
}

impl PolicySet {
    /// Decides one wish. A request with several is allowed only if each is.
    pub fn decide(&self, asker: &Asker<'_>, wish: &Wish<'_>, about: &Circumstances<'_>) -> Decision {
        if matches!(wish.on, Resource::Greeting) {
            return Decision::Allow { permits: Vec::new() };
        }
        let key = Key::new(asker, wish, about.cluster);
        if let Some(decision) = self.decisions.get(&key) {
            return decision;
        }
        let slice = self.slice(asker, wish);
        let decision = evaluate(&slice, asker, wish, about).unwrap_or_else(|reason| Decision::Deny {
            forbids: Vec::new(),
            near: Vec::new(),
            failed: vec![reason],
        });
        // What circumstances decide is decided anew each time.
        if !slice.uses_context {
            self.decisions.insert(key, decision.clone());
        }
        decision
    }
}

/// What a slice says, or why it cannot be asked.
fn evaluate(
    slice: &Slice,
    asker: &Asker<'_>,
    wish: &Wish<'_>,
    about: &Circumstances<'_>,
) -> Result<Decision, String> {
    if slice.permits.is_empty() {
        return Ok(Decision::Deny { forbids: Vec::new(), near: Vec::new(), failed: Vec::new() });
    }
    let cluster = uid(EntityType::Cluster, about.cluster);
    let (resource, parents) = match wish.on {
        Resource::Index(target) => {
            let mut parents = slice.parents(target);
            parents.insert(cluster);
            (uid(EntityType::Index, &target.to_string()), parents)
        }
        Resource::Cluster | Resource::Greeting => (cluster, HashSet::new()),
        Resource::Plugin(name) => (uid(EntityType::Plugin, name), HashSet::from([cluster])),
        Resource::Dashboards { workspace: None } => {
            (uid(EntityType::Dashboards, "dashboards"), HashSet::from([cluster]))
        }
        Resource::Dashboards { workspace: Some(workspace) } => {
            let mut parents = slice.twins(EntityType::WorkspaceReach, Some(workspace));
            parents.extend([uid(EntityType::Dashboards, "dashboards"), cluster]);
            (uid(EntityType::Workspace, workspace), parents)
        }
        Resource::SavedObject { kind, workspace } => {
            let (kind, workspace) = (kind.as_deref(), workspace.as_deref());
            let mut parents = slice.twins(EntityType::ResourceTypeReach, kind);
            parents.extend(slice.twins(EntityType::WorkspaceReach, workspace));
            parents.extend(kind.map(|kind| uid(EntityType::ResourceType, kind)));
            parents.extend(workspace.map(|workspace| uid(EntityType::Workspace, workspace)));
            parents.extend([uid(EntityType::Dashboards, "dashboards"), cluster]);
            (uid(EntityType::DashboardsObject, kind.unwrap_or("*")), parents)
        }
    };
    let me = asker.entity().ok_or("the principal")?;
    let context = if slice.uses_context { about.context()? } else { Context::empty() };
    let (principal, action) = (me.uid(), slice.action.uid());
    let entities = [me, slice.action.clone(), Entity::new_no_attrs(resource.clone(), parents)];
    let entities = Entities::from_entities(entities, None).map_err(|error| error.to_string())?;
    let request =
        Request::new(principal, action, resource, context, None).map_err(|error| error.to_string())?;
    let response = Authorizer::new().is_authorized(&request, &slice.policies, &entities);
    let diagnostics = response.diagnostics();
    let reasons =
        || diagnostics.reason().map(|id| Arc::from(AsRef::<str>::as_ref(id))).collect::<Vec<Arc<str>>>();
    let failures: Vec<String> = diagnostics.errors().map(ToString::to_string).collect();
    Ok(match response.decision() {
        cedar_policy::Decision::Allow if failures.is_empty() => Decision::Allow { permits: reasons() },
        cedar_policy::Decision::Allow => {
            Decision::Deny { forbids: Vec::new(), near: reasons(), failed: failures }
        }
        cedar_policy::Decision::Deny => {
            Decision::Deny { forbids: reasons(), near: slice.permits.clone(), failed: failures }
        }
    })
}

impl Circumstances<'_> {
    fn context(&self) -> Result<Context, String> {
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let seconds = i64::try_from(self.token_age.as_secs()).unwrap_or(i64::MAX);
        let time = self.time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
        let mut pairs = vec![
            ("cluster".to_owned(), text(self.cluster)),
            ("client".to_owned(), text(self.client)),
            ("scopes".to_owned(), RestrictedExpression::new_set(self.scopes.iter().map(|scope| text(scope)))),
            ("source".to_owned(), RestrictedExpression::new_ip(self.source.to_string())),
            ("time".to_owned(), RestrictedExpression::new_datetime(time)),
            ("token_age".to_owned(), RestrictedExpression::new_long(seconds)),
        ];
        pairs.extend(self.acr.map(|acr| ("acr".to_owned(), text(acr))));
        pairs.extend(self.tenant.map(|tenant| ("tenant".to_owned(), text(tenant))));
        Context::from_pairs(pairs).map_err(|error| error.to_string())
    }
}

/// Types of the schema that decisions need.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EntityType {
    Action,
    Agent,
    Cluster,
    Dashboards,
    DashboardsObject,
    Group,
    Index,
    IndexReach,
    Plugin,
    ResourceType,
    ResourceTypeReach,
    User,
    Workspace,
    WorkspaceReach,
}

impl EntityType {
    const ALL: [(Self, &'static str); 14] = [
        (Self::Action, "Action"),
        (Self::Agent, "Agent"),
        (Self::Cluster, "Cluster"),
        (Self::Dashboards, "Dashboards"),
        (Self::DashboardsObject, "DashboardsObject"),
        (Self::Group, "Group"),
        (Self::Index, "Index"),
        (Self::IndexReach, "IndexReach"),
        (Self::Plugin, "Plugin"),
        (Self::ResourceType, "ResourceType"),
        (Self::ResourceTypeReach, "ResourceTypeReach"),
        (Self::User, "User"),
        (Self::Workspace, "Workspace"),
        (Self::WorkspaceReach, "WorkspaceReach"),
    ];

    /// Its name in the schema.
    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    pub(crate) fn name(self) -> EntityTypeName {
        // Reading a name is a parser's run each time.
        static NAMES: LazyLock<Vec<EntityTypeName>> = LazyLock::new(|| {
            EntityType::ALL
                .iter()
                .map(|(_, name)| name.parse().unwrap_or_else(|_| unreachable!("{name} is a word")))
                .collect()
        });
        NAMES[self as usize].clone()
    }
}

/// An entity.
pub(crate) fn uid(kind: EntityType, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.name(), EntityId::new(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_stand_in_their_order() {
        for (place, (kind, name)) in EntityType::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
            assert_eq!(kind.name().to_string(), name);
        }
    }
}
