//! One cluster of the configuration, compiled.

use std::{collections::HashMap, sync::Arc};

use access::Mapper;
use engine::EngineIdentity;

use crate::{catalogue::Names, headers::Reserved, upstream::Upstream};

/// One cluster: how requests come to it, what tokens may do there, and how it is reached.
#[derive(Debug)]
pub struct Cluster {
    pub(super) name: Arc<str>,
    pub(super) index: usize,
    pub(super) hosts: Vec<String>,
    pub(super) path_prefix: String,
    pub(super) reads_bodies: bool,
    pub(super) narrows: bool,
    pub(super) resource: String,
    pub(super) resource_metadata: String,
    pub(super) scopes_supported: Vec<String>,
    pub(super) reserved: Reserved,
    pub(super) identity: Arc<EngineIdentity>,
    pub(super) names: Option<Arc<Names>>,
    pub(super) upstream: Arc<Upstream>,
    /// By provider name: what that provider's tokens may do here.
    pub(super) mappers: HashMap<String, Mapper>,
}

impl Cluster {
    /// The configured name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name, shared.
    pub fn label(&self) -> &Arc<str> {
        &self.name
    }

    /// Its place in the snapshot's list.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The resource identifier (RFC 9728).
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The URL of the resource metadata, for challenges.
    pub fn resource_metadata(&self) -> &str {
        &self.resource_metadata
    }

    /// Scopes worth asking for.
    pub fn scopes_supported(&self) -> &[String] {
        &self.scopes_supported
    }

    /// Headers that this cluster's engine trusts.
    pub fn reserved(&self) -> &Reserved {
        &self.reserved
    }

    /// As whom requests are sent.
    pub fn identity(&self) -> &EngineIdentity {
        &self.identity
    }

    /// What its names stand for, where that is configured.
    pub fn names(&self) -> Option<&Names> {
        self.names.as_deref()
    }

    /// How it is reached.
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// What tokens of a provider may do here.
    pub fn mapper(&self, provider: &str) -> Option<&Mapper> {
        self.mappers.get(provider)
    }

    /// Whether bodies are read for the targets that they name.
    pub fn reads_bodies(&self) -> bool {
        self.reads_bodies
    }

    /// Whether a request for more than is held is sent as one for what is held.
    pub fn narrows(&self) -> bool {
        self.narrows
    }

    /// The path prefix, empty or beginning with a slash.
    pub fn path_prefix(&self) -> &str {
        &self.path_prefix
    }

    /// Whether the configuration names hosts for it.
    pub fn names_host(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// The target without the path prefix, which may leave no more than a query, if this cluster is addressed by host and target.
    pub fn accepts<'t>(&self, host: &str, target: &'t str) -> Option<&'t str> {
        let host_fits =
            self.hosts.is_empty() || self.hosts.iter().any(|named| named.eq_ignore_ascii_case(host));
        if !host_fits {
            return None;
        }
        match target.strip_prefix(self.path_prefix.as_str())? {
            "" => Some("/"),
            rest if rest.starts_with(['/', '?']) => Some(rest),
            _ => None,
        }
    }
}
