//! OpenSearch Dashboards of one cluster, compiled.

use std::sync::Arc;

use http::uri::{InvalidUri, PathAndQuery};

use super::Task;
use crate::{tenancy::Tenancy, upstream::Upstream};

/// OpenSearch Dashboards of one cluster: how requests come to it, and how it is reached.
#[derive(Debug)]
pub struct Dashboards {
    pub(super) hosts: Vec<String>,
    pub(super) prefix: String,
    /// Whether the prefix is Dashboards' own and stays in the path.
    pub(super) keeps_prefix: bool,
    pub(super) shares_place: bool,
    pub(super) resource: String,
    pub(super) resource_metadata: String,
    pub(super) tenancy: Tenancy,
    pub(super) upstream: Arc<Upstream>,
    /// Its health checks, which end with the last snapshot that has it.
    pub(super) health: Arc<Task>,
}

impl Dashboards {
    /// The hosts it is at; empty: any.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The prefix by which clients address it, empty or beginning with a slash.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether it has no host or prefix of its own, so that the first segment of a path tells it from the engine.
    pub fn shares_place(&self) -> bool {
        self.shares_place
    }

    /// The resource identifier (RFC 9728).
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The URL of the resource metadata, for challenges.
    pub fn resource_metadata(&self) -> &str {
        &self.resource_metadata
    }

    /// Which tenant a request is for.
    pub fn tenancy(&self) -> &Tenancy {
        &self.tenancy
    }

    /// How it is reached.
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// The target as Dashboards gets it: under its `server.basePath`, where that is kept.
    ///
    /// # Errors
    ///
    /// Only for a prefix that no path can begin with, which the configuration's checks refuse.
    pub fn target(&self, judged: PathAndQuery) -> Result<PathAndQuery, InvalidUri> {
        if self.keeps_prefix && !self.prefix.is_empty() {
            format!("{}{judged}", self.prefix).parse()
        } else {
            Ok(judged)
        }
    }
}
