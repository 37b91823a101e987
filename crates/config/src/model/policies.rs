//! The section `policies`: Cedar policies on top of the scopes.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::value::ReadFileForm;

/// Cedar policies. They narrow what scopes allow, and never give anything.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policies {
    /// Files with policies in Cedar. They are read together: nothing of them counts while anything in one of them is wrong.
    #[schemars(with = "Vec<ReadFileForm>", length(min = 1))]
    pub files: Vec<PathBuf>,
    /// Whether what they refuse is refused.
    #[serde(default)]
    pub mode: PolicyMode,
    /// How policies name principals and groups. With several providers only `qualified` tells their people apart.
    #[serde(default)]
    pub principal_ids: PrincipalIds,
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
