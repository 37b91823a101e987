//! The engine's side: which domain, roles and mappings an identity needs, as files, as REST calls, applied and checked.
//!
//! For every scope that the configuration names there is one engine role, `oauth_<scope>`, with the permissions of the
//! scope's action over the scope's pattern, mapped from the backend role that is the scope's own text. So a request can do
//! in the engine what the scopes that allowed it say, and no more, whatever the proxy forwards.

mod api;
mod api_tokens;
mod apply;
mod check;
mod dashboards;
mod files;
mod parts;
pub(crate) mod permissions;
mod rest_calls;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use access::{Grant, Scope};
use config::model::{Cluster, Config, Identity, Mapping, TokenStore};
use rest::{Action, Target};
use serde_json::{Value, json};

pub use self::{
    api::{AdminAccess, ApiError},
    apply::{ApplyError, apply},
    check::{CheckError, Finding, Report, Status, check},
    files::File,
    parts::{ActionGroup, Domain, IndexPermission, InternalUser, Role, RoleMapping, TenantPermission},
    rest_calls::RestCall,
};
use crate::{
    EngineIdentity, IdentityError,
    name::encode_into,
    own::{CATALOGUE_ROLE, TOKENS_ROLE},
};

/// What begins the name of every role and action group made here.
const PREFIX: &str = "oauth_";
/// The order of the domain in files, before the engine's defaults, which count from 0.
const ORDER: i64 = -1;
/// The role under which the proxy lists the names of a cluster. The roles of scopes have a colon in their names.
const LISTER: &str = "oauth_catalogue";
/// The engine role of the proxy itself for the index of managed tokens.
const KEEPER: &str = "oauth_tokens";

/// Why there is no set-up for a cluster.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The identity of the cluster is unusable.
    #[error("the identity of cluster `{cluster}` cannot be used")]
    Identity {
        /// The cluster.
        cluster: String,
        /// Why.
        #[source]
        source: IdentityError,
    },
    /// A listed scope is not of the form that the proxy reads.
    #[error("cluster `{cluster}`: `{text}` is not a scope")]
    Scope {
        /// The cluster.
        cluster: String,
        /// The text.
        text: String,
        /// Why.
        #[source]
        source: access::ScopeError,
    },
    /// A pattern means something else to the engine.
    #[error(
        "the pattern of scope `{0}` holds a character that the engine's roles read otherwise: \
         use letters, digits, `.`, `_`, `-`, `+`, `@`, `~` and `*`"
    )]
    Pattern(String),
}

/// The security configuration that a cluster needs beside what it has.
#[derive(Debug)]
pub struct Setup {
    /// The configured name of the cluster.
    pub cluster: String,
    /// The authentication domain; none for `backend_user` and `forward`.
    pub domain: Option<Domain>,
    /// Sets of permissions, by name.
    pub action_groups: BTreeMap<String, ActionGroup>,
    /// Roles, by name.
    pub roles: BTreeMap<String, Role>,
    /// Who has them, by role.
    pub roles_mapping: BTreeMap<String, RoleMapping>,
    /// Users, by name; only for `backend_user`.
    pub internal_users: BTreeMap<String, InternalUser>,
    /// Backend roles that mappings of the proxy give and that only the operator can map to engine roles.
    pub foreign_backend_roles: BTreeSet<String>,
    /// What a person has to know or do.
    pub notes: Vec<String>,
    identity: EngineIdentity,
    /// The scopes that have a role, with its name.
    scopes: BTreeMap<String, String>,
    passwords: BTreeMap<String, config::value::Secret>,
    /// Whether the engine has to accept API tokens.
    api_tokens: bool,
    /// Whether the proxy lists names.
    lists: bool,
    /// Whether the proxy keeps managed tokens in an index.
    keeps: bool,
}

/// What the engine needs so that `cluster` of `config` works. Reads the key file of `signed_jwt`.
pub fn setup(config: &Config, cluster: &Cluster) -> Result<Setup, SetupError> {
    if let Identity::ApiToken(settings) = &cluster.identity {
        return api_tokens::setup(config, cluster, settings);
    }
    let identity = EngineIdentity::from_config(&cluster.identity)
        .map_err(|source| SetupError::Identity { cluster: cluster.name.clone(), source })?;
    let mut setup = Setup {
        cluster: cluster.name.clone(),
        domain: domain(&identity, &cluster.identity),
        action_groups: BTreeMap::new(),
        roles: BTreeMap::new(),
        roles_mapping: BTreeMap::new(),
        internal_users: BTreeMap::new(),
        foreign_backend_roles: BTreeSet::new(),
        notes: Vec::new(),
        identity,
        scopes: BTreeMap::new(),
        passwords: BTreeMap::new(),
        api_tokens: false,
        lists: false,
        keeps: false,
    };
    setup.notes.extend(dashboards::notes(cluster));
    if let Identity::Forward(_) = cluster.identity {
        setup.notes.push(
            "Identity `forward`: the engine must itself accept the provider's tokens, and its own role mappings decide. \
             The proxy only narrows; there is nothing to generate."
                .to_owned(),
        );
        return Ok(setup);
    }
    for scope in scopes(config, cluster)? {
        setup.add_scope(&scope)?;
    }
    for mapping in mappings(config, cluster) {
        setup.foreign_backend_roles.extend(mapping.grant.roles.iter().cloned());
    }
    setup.add_users(config, cluster);
    setup.add_lister(cluster);
    setup.add_keeper(config, cluster);
    setup.add_notes(&cluster.identity);
    Ok(setup)
}

impl Setup {
    fn add_scope(&mut self, scope: &Scope) -> Result<(), SetupError> {
        let text = scope.to_string();
        let role = match &scope.grant {
            Grant::Index { target: Target { remote: Some(_), .. }, .. } => {
                self.notes.push(format!(
                    "`{text}` concerns a remote cluster: that cluster judges it by its own roles, so grant it there."
                ));
                return Ok(());
            }
            Grant::Index { action, target } => self.index_role(*action, target, &text)?,
            Grant::Cluster(action) => Role {
                description: format!("What the scope {} allows", scope.grant),
                cluster_permissions: std::iter::once(permissions::GREETING)
                    .chain(permissions::of_cluster(*action).iter().copied())
                    .map(str::to_owned)
                    .collect(),
                ..Role::default()
            },
            Grant::Plugin { name, .. } => {
                self.notes.push(format!(
                    "`{text}`: which permissions plugin `{name}` checks is the plugin's own; map the backend role `{text}` to a \
                     role that has them. The security plugin's API asks for a role of `plugins.security.restapi.roles_enabled`."
                ));
                return Ok(());
            }
            Grant::Dashboards { action, .. } => {
                dashboards::role(*action, &scope.grant.to_string(), |action| self.groups(action))
            }
            // The proxy's own matter.
            Grant::Governance { .. } | Grant::Role(_) => return Ok(()),
        };
        let name = role_name(&scope.grant);
        let mapping = self.roles_mapping.entry(name.clone()).or_default();
        mapping.description.clone_from(&role.description);
        mapping.backend_roles.insert(exactly(&text));
        self.roles.insert(name.clone(), role);
        self.scopes.insert(text, name);
        Ok(())
    }

    fn index_role(&mut self, action: Action, target: &Target, text: &str) -> Result<Role, SetupError> {
        let pattern = target.index.to_string();
        if !permissions::is_plain_pattern(&pattern) {
            return Err(SetupError::Pattern(text.to_owned()));
        }
        let (indices, requests) = self.groups(action);
        Ok(Role {
            description: format!("What the scope {action}:{target} allows"),
            cluster_permissions: vec![permissions::GREETING.to_owned(), requests],
            index_permissions: vec![IndexPermission {
                index_patterns: vec![pattern],
                allowed_actions: vec![indices],
            }],
            ..Role::default()
        })
    }

    /// The names of the action groups, on indices and on the cluster, of an action; they are made if need be.
    fn groups(&mut self, action: Action) -> (String, String) {
        let needed = permissions::of_indices(action);
        let group = |kind: &'static str, actions: &[&str]| ActionGroup {
            allowed_actions: actions.iter().map(|&action| action.to_owned()).collect(),
            kind,
            description: format!("What `{action}:<pattern>` needs on {kind} level"),
        };
        let (indices, requests) = (format!("{PREFIX}{action}_index"), format!("{PREFIX}{action}_cluster"));
        self.action_groups.insert(indices.clone(), group("index", needed.on_indices));
        self.action_groups.insert(requests.clone(), group("cluster", needed.on_cluster));
        (indices, requests)
    }

    /// A backend user has the roles of every scope that reaches the engine as that user.
    fn add_users(&mut self, config: &Config, cluster: &Cluster) {
        let Identity::BackendUser(users) = &cluster.identity else { return };
        for (name, password) in &users.users {
            let backend_roles = mappings(config, cluster)
                .filter(|mapping| mapping.grant.backend_user.as_ref() == Some(name))
                .flat_map(|mapping| {
                    granted(mapping)
                        .map(|(_, scope)| scope.to_string())
                        .chain(mapping.grant.roles.iter().cloned())
                })
                .collect();
            self.internal_users.insert(
                name.clone(),
                InternalUser {
                    backend_roles,
                    description: "Requests of the OAuth proxy for the scopes listed as backend roles"
                        .to_owned(),
                },
            );
            self.passwords.insert(name.clone(), password.clone());
        }
    }

    /// What the proxy itself asks, so that it knows what names stand for.
    fn add_lister(&mut self, cluster: &Cluster) {
        let Some(catalogue) = &cluster.catalogue else { return };
        let description = "What the OAuth proxy itself asks to know what names stand for".to_owned();
        let role = Role {
            description: description.clone(),
            cluster_permissions: Vec::new(),
            index_permissions: vec![IndexPermission {
                index_patterns: vec!["*".to_owned()],
                allowed_actions: vec![permissions::LISTING.to_owned()],
            }],
            ..Role::default()
        };
        let backend_roles = BTreeSet::from([CATALOGUE_ROLE.to_owned()]);
        self.roles.insert(LISTER.to_owned(), role);
        self.roles_mapping.insert(LISTER.to_owned(), RoleMapping { backend_roles, description });
        if let Some(user) = catalogue.user.as_ref().and_then(|user| self.internal_users.get_mut(user)) {
            user.backend_roles.insert(CATALOGUE_ROLE.to_owned());
        }
        self.lists = true;
    }

    /// What the proxy itself does with the index of managed tokens.
    fn add_keeper(&mut self, config: &Config, cluster: &Cluster) {
        let Some(TokenStore::OpenSearch(store)) = config.tokens.as_ref().map(|tokens| &tokens.store) else {
            return;
        };
        if store.cluster != cluster.name {
            return;
        }
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let description = "What the OAuth proxy itself does with the index of managed tokens".to_owned();
        let role = Role {
            description: description.clone(),
            cluster_permissions: texts(permissions::TOKENS_ON_CLUSTER),
            index_permissions: vec![IndexPermission {
                index_patterns: vec![store.index.clone()],
                allowed_actions: texts(permissions::TOKENS),
            }],
            ..Role::default()
        };
        let backend_roles = BTreeSet::from([TOKENS_ROLE.to_owned()]);
        self.roles.insert(KEEPER.to_owned(), role);
        self.roles_mapping.insert(KEEPER.to_owned(), RoleMapping { backend_roles, description });
        if let Some(user) = store.user.as_ref().and_then(|user| self.internal_users.get_mut(user)) {
            user.backend_roles.insert(TOKENS_ROLE.to_owned());
        }
        self.keeps = true;
    }

    /// The engine role that a backend role made here leads to.
    fn role_of(&self, backend_role: &str) -> Option<&str> {
        let lister = (self.lists && backend_role == CATALOGUE_ROLE).then_some(LISTER);
        let keeper = (self.keeps && backend_role == TOKENS_ROLE).then_some(KEEPER);
        lister.or(keeper).or_else(|| self.scopes.get(backend_role).map(String::as_str))
    }

    fn add_notes(&mut self, identity: &Identity) {
        match identity {
            Identity::SignedJwt(_) => self.notes.push(
                "Whoever has the proxy's private key is every user of this engine: keep the file readable by the proxy only. \
                 To change the key, list both public keys under `signing_key`, change the proxy, then remove the old one."
                    .to_owned(),
            ),
            Identity::ProxyHeaders(_) => self.notes.push(
                "`xff.internalProxies` decides who may name any user: it must match the proxy's addresses and nothing else, and no \
                 other program may run there. The value written here is loopback."
                    .to_owned(),
            ),
            Identity::BackendUser(_) => self.notes.push(
                "The engine sees the backend users, not the callers: its audit log and document-level security cannot tell \
                 callers apart. Prefer `signed_jwt`."
                    .to_owned(),
            ),
            // `api_token` has notes of its own.
            Identity::ApiToken(_) | Identity::Forward(_) => {}
        }
        if self.scopes.is_empty() {
            self.notes.push(
                "No scope is known, so no role was made: list the scopes that your provider issues under `scopes` of the cluster, \
                 or grant scopes in `mappings`."
                    .to_owned(),
            );
        }
        for role in &self.foreign_backend_roles {
            self.notes.push(format!(
                "Backend role `{role}` is given by a mapping of the proxy: map it to the engine roles it is meant for."
            ));
        }
    }
}

/// The engine role of a scope, whichever cluster the scope names: the scope's own text, with what could be read otherwise
/// in a URL percent-encoded.
fn role_name(grant: &Grant) -> String {
    let mut name = PREFIX.to_owned();
    encode_into(&mut name, &grant.to_string(), |byte| {
        byte.is_ascii_alphanumeric() || b":*._-+@~".contains(&byte)
    });
    name
}

/// A pattern of the engine's role mappings that matches this backend role and no other.
///
/// Mappings read backend roles as patterns: `read:logs-*` there would also match the backend role `read:logs-app-*`, and so
/// give a narrow scope the role of a wider one. A text between slashes is a regular expression.
fn exactly(backend_role: &str) -> String {
    if !backend_role.contains(['*', '?', '/']) {
        return backend_role.to_owned();
    }
    let mut pattern = "/".to_owned();
    for c in backend_role.chars() {
        if c.is_ascii_punctuation() && !"-_:".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + "/"
}

fn domain(identity: &EngineIdentity, settings: &Identity) -> Option<Domain> {
    match (identity, settings) {
        (EngineIdentity::SignedJwt(identity), Identity::SignedJwt(settings)) => Some(Domain {
            name: domain_name(&settings.issuer),
            authenticator: "jwt",
            settings: BTreeMap::from([
                ("signing_key", json!(identity.key().public_pem())),
                ("jwt_header", json!("Authorization")),
                ("subject_key", json!("sub")),
                ("roles_key", json!("roles")),
                ("required_issuer", json!(settings.issuer)),
                ("required_audience", json!(settings.audience)),
                ("jwt_clock_skew_tolerance_seconds", json!(30)),
            ]),
            trusted_proxies: None,
        }),
        (EngineIdentity::ProxyHeaders(_), Identity::ProxyHeaders(settings)) => Some(Domain {
            name: "oauth_proxy_headers".to_owned(),
            authenticator: "extended-proxy",
            settings: BTreeMap::<&str, Value>::from([
                ("user_header", json!(settings.user_header)),
                ("roles_header", json!(settings.roles_header)),
                ("attr_header_prefix", json!(settings.attribute_prefix)),
            ]),
            trusted_proxies: Some(r"127\.0\.0\.1|0:0:0:0:0:0:0:1|::1".to_owned()),
        }),
        _ => None,
    }
}

/// One domain for each issuer, so that proxies with keys of their own can share an engine, while a proxy that changes its
/// key replaces the old one. The default issuer has the short name.
fn domain_name(issuer: &str) -> String {
    const SHORT: &str = "oauth_proxy_jwt";
    const DEFAULT: &str = "opensearch-oauth-proxy";
    if issuer == DEFAULT {
        return SHORT.to_owned();
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-.".contains(c) { c } else { '_' };
    format!("{SHORT}_{}", issuer.chars().map(plain).collect::<String>())
}

/// The mappings that count on this cluster.
fn mappings<'a>(config: &'a Config, cluster: &'a Cluster) -> impl Iterator<Item = &'a Mapping> {
    config
        .mappings
        .iter()
        .filter(|mapping| mapping.clusters.as_ref().is_none_or(|names| names.contains(&cluster.name)))
}

/// The scopes a mapping gives: those it lists, or, if it lists none, the token's own that its condition names.
fn granted(mapping: &Mapping) -> impl Iterator<Item = (&str, Scope)> {
    let own = mapping.scope.as_ref().filter(|_| mapping.grant.scopes.is_empty());
    mapping.grant.scopes.iter().chain(own).filter_map(|text| Some((text.as_str(), text.parse().ok()?)))
}

/// Every scope that can count on this cluster, as far as the configuration knows.
fn scopes(config: &Config, cluster: &Cluster) -> Result<Vec<Scope>, SetupError> {
    let mut found = BTreeMap::new();
    for text in &cluster.scopes {
        let scope: Scope = text.parse().map_err(|source| SetupError::Scope {
            cluster: cluster.name.clone(),
            text: text.clone(),
            source,
        })?;
        found.insert(scope.to_string(), scope);
    }
    for mapping in mappings(config, cluster) {
        // A condition that is itself a scope: the token brings it, and it counts as it is.
        let condition = mapping.scope.as_ref().and_then(|text| text.parse::<Scope>().ok());
        for scope in granted(mapping).map(|(_, scope)| scope).chain(condition) {
            found.insert(scope.to_string(), scope);
        }
    }
    found.retain(|_, scope| scope.cluster.as_deref().is_none_or(|name| name == cluster.name));
    Ok(found.into_values().collect())
}
