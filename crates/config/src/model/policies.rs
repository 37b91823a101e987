//! The section `policies`: Cedar policies on top of the scopes.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{NAME, NAME_FORM};
use crate::value::ReadFileForm;

/// Cedar policies. They narrow what scopes allow, unless `instead_of_scopes` leaves all to them. One set by `files` or `folder`, or several by `sets`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policies {
    /// Files with policies in Cedar. They are read together: nothing of them counts while anything in one of them is wrong.
    #[serde(default)]
    #[schemars(with = "Vec<ReadFileForm>", extend("default" = serde_json::json!([])))]
    pub files: Vec<PathBuf>,
    /// A folder of which all `*.cedar` are read so; what is in folders of it is not.
    #[schemars(extend("x-file" = "folder"))]
    pub folder: Option<PathBuf>,
    /// Whether what they refuse is refused.
    #[serde(default)]
    pub mode: PolicyMode,
    /// Several sets. Each must allow a request by itself, so that no set gives what another refuses.
    #[serde(default)]
    #[schemars(extend("default" = serde_json::json!([])))]
    pub sets: Vec<PolicySet>,
    /// How policies name principals and groups. With several providers only `qualified` tells their people apart.
    #[serde(default)]
    pub principal_ids: PrincipalIds,
    /// Let policies alone decide what callers may do on clusters: scopes then count for nothing there, and requests run under the
    /// engine roles that mappings give for groups and claims.
    #[serde(default)]
    pub instead_of_scopes: bool,
}

/// A set of policies, from `files` or a `folder`, or edited over HTTP.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySet {
    /// Its name, in the audit trail and in refusals before the ids of its policies.
    #[schemars(length(max = 63), extend("pattern" = NAME, "x-form" = NAME_FORM))]
    pub name: String,
    /// Files with policies in Cedar.
    #[serde(default)]
    #[schemars(with = "Vec<ReadFileForm>", extend("default" = serde_json::json!([])))]
    pub files: Vec<PathBuf>,
    /// A folder of which all `*.cedar` are read.
    #[schemars(extend("x-file" = "folder"))]
    pub folder: Option<PathBuf>,
    /// The policies are kept in the store of `tokens` and edited over HTTP, by whoever has the scope `admin:policies`. Until some are
    /// written, the set permits nothing.
    #[serde(default)]
    pub managed: bool,
    /// Whether what it refuses is refused.
    #[serde(default)]
    pub mode: PolicyMode,
}

/// One set of the configuration, whichever way it is written.
#[derive(Clone, Copy, Debug)]
pub struct PolicySetRef<'p> {
    /// `None` for the only set of a configuration that writes it without `sets`.
    pub name: Option<&'p str>,
    /// Its files.
    pub files: &'p [PathBuf],
    /// The folder of its files.
    pub folder: Option<&'p Path>,
    /// Whether its policies are kept in the store of tokens instead.
    pub managed: bool,
    /// Whether what it refuses is refused.
    pub mode: PolicyMode,
}

impl Policies {
    /// All sets: those under `sets`, or the one that is written without.
    pub fn all_sets(&self) -> Vec<PolicySetRef<'_>> {
        if self.sets.is_empty() {
            let Self { files, folder, mode, .. } = self;
            let folder = folder.as_deref();
            return vec![PolicySetRef { name: None, files, folder, managed: false, mode: *mode }];
        }
        let named = self.sets.iter().map(|set| {
            let PolicySet { name, files, folder, managed, mode } = set;
            let (name, folder) = (Some(name.as_str()), folder.as_deref());
            PolicySetRef { name, files, folder, managed: *managed, mode: *mode }
        });
        named.collect()
    }
}

/// Whether what policies refuse is refused.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyMode {
    /// It is.
    #[default]
    Enforce,
    /// It is let through, and the audit record says what would have been refused.
    LogOnly,
}

/// How policies name principals and groups.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalIds {
    /// By the name that the provider gives them: `Agent::"my-agent"`.
    #[default]
    Plain,
    /// By the provider's name and that: `Agent::"keycloak:my-agent"`, `Group::"keycloak:agents"`.
    Qualified,
}
