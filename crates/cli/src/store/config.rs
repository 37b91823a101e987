//! The contexts: which clusters there are, and how to log in to each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::Credentials;
use crate::error::{Error, Result};

/// The content of `config.yaml`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The context used when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// Where the tokens of new logins are kept.
    #[serde(default, skip_serializing_if = "Credentials::is_auto")]
    pub(crate) credentials: Credentials,
    /// The contexts by name.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// One cluster behind one proxy.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// The proxy's address for that cluster.
    pub(crate) url: Url,
    /// PEM file with the authorities to trust for the proxy; without it, those of the operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Where one can log in, by name.
    #[serde(default)]
    pub(crate) providers: BTreeMap<String, Provider>,
}

/// An identity provider, as this program is known to it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    /// The issuer; OpenID Connect discovery begins there.
    pub(crate) issuer: String,
    /// This program's client id. It is a public client: there is no secret.
    pub(crate) client_id: String,
    /// PEM file with the authorities to trust for the provider; without it, those of the operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// The scopes to ask for at login; without any, those that the proxy names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) scopes: Vec<String>,
}

impl Config {
    /// The context of that name, or the current one.
    pub(crate) fn context(&self, name: Option<&str>) -> Result<(&str, &Context)> {
        let name = match name.or(self.current.as_deref()) {
            Some(name) => name,
            None if self.contexts.is_empty() => {
                return Err(Error::usage("there is no context yet")
                    .cure("add one: `opensearch-auth contexts add NAME --url https://PROXY:PORT`"));
            }
            None => {
                return Err(Error::usage(format!("no context is chosen; there are {}", self.names()))
                    .cure("choose one: `opensearch-auth contexts use NAME`, or give --context NAME"));
            }
        };
        self.contexts.get_key_value(name).map(|(name, context)| (name.as_str(), context)).ok_or_else(|| {
            Error::usage(format!(
                "there is no context `{}`; there are {}",
                crate::error::printable(name),
                self.names()
            ))
            .cure("`opensearch-auth contexts list` shows them, `contexts add` makes one")
        })
    }

    fn names(&self) -> String {
        if self.contexts.is_empty() { "none".to_owned() } else { listed(self.contexts.keys()) }
    }
}

impl Context {
    /// The provider of that name, or the only one.
    pub(crate) fn provider(&self, name: Option<&str>) -> Result<(&str, &Provider)> {
        let known = listed(self.providers.keys());
        let found = match name {
            Some(name) => self.providers.get_key_value(name),
            None if self.providers.len() == 1 => self.providers.first_key_value(),
            None => {
                return Err(Error::usage(format!("this context has the providers {known}"))
                    .cure("say which one with --provider NAME"));
            }
        };
        found.map(|(name, provider)| (name.as_str(), provider)).ok_or_else(|| {
            let name = crate::error::printable(name.unwrap_or_default());
            Error::usage(format!("this context has no provider `{name}`; it has {known}"))
                .cure("add the context again with --provider NAME=ISSUER")
        })
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Whether a name can be that of a context or a provider: as it is typed in a shell.
pub(crate) fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty()
        && text.len() <= 63
        && text.chars().all(fits)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}
