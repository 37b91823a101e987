//! One cluster of the configuration, compiled.

use std::{collections::HashMap, sync::Arc};

use access::Mapper;
use engine::EngineIdentity;
use handles::Keys;

use super::{Dashboards, Destination};
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
    pub(super) handles: Option<Arc<Keys>>,
    pub(super) resource: String,
    pub(super) resource_metadata: String,
    pub(super) scopes_supported: Vec<String>,
    pub(super) reserved: Reserved,
    pub(super) identity: Arc<EngineIdentity>,
    pub(super) names: Option<Arc<Names>>,
    pub(super) upstream: Arc<Upstream>,
    pub(super) dashboards: Option<Arc<Dashboards>>,
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

    /// The resource identifier (RFC 9728) of what a request is for.
    pub fn resource<'c>(&'c self, destination: &'c Destination) -> &'c str {
        match destination {
            Destination::Dashboards(dashboards) if !dashboards.shares_place() => dashboards.resource(),
            _ => &self.resource,
        }
    }

    /// The URL of that resource's metadata, for challenges.
    pub fn resource_metadata<'c>(&'c self, destination: &'c Destination) -> &'c str {
        match destination {
            Destination::Dashboards(dashboards) if !dashboards.shares_place() => {
                dashboards.resource_metadata()
            }
            _ => &self.resource_metadata,
        }
    }

    /// Scopes worth asking for.
    pub fn scopes_supported(&self) -> &[String] {
        &self.scopes_supported
    }

    /// Headers that this cluster's engine trusts.
    pub fn reserved(&self) -> &Reserved {
        &self.reserved
    }

    /// Whether managed tokens can count here. Not where the engine gets the caller's own token: it could do nothing with one, and is
    /// not to see it.
    pub fn takes_managed_tokens(&self) -> bool {
        !matches!(*self.identity, EngineIdentity::Forward)
    }

    /// As whom requests are sent.
    pub fn identity(&self) -> &EngineIdentity {
        &self.identity
    }

    /// What its names stand for, where that is configured.
    pub fn names(&self) -> Option<&Names> {
        self.names.as_deref()
    }

    /// How its engine is reached.
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// Its OpenSearch Dashboards, if that is served.
    pub fn dashboards(&self) -> Option<&Arc<Dashboards>> {
        self.dashboards.as_ref()
    }

    /// How each of its servers is reached: the engine, then Dashboards.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        std::iter::once(&self.upstream).chain(self.dashboards.iter().map(|dashboards| dashboards.upstream()))
    }

    /// How a destination of its is reached.
    pub fn upstream_of<'c>(&'c self, destination: &'c Destination) -> &'c Arc<Upstream> {
        match destination {
            Destination::Engine => &self.upstream,
            Destination::Dashboards(dashboards) => dashboards.upstream(),
        }
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

    /// What binds handles to their callers, where that is configured.
    pub fn handles(&self) -> Option<&Arc<Keys>> {
        self.handles.as_ref()
    }

    /// The path prefix, empty or beginning with a slash.
    pub fn path_prefix(&self) -> &str {
        &self.path_prefix
    }
}
