//! The servers of one cluster, the engine's nodes or Dashboards', from their settings to how they are reached.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use config::model;
use http::uri::PathAndQuery;
use transport::TlsOptions;
use url::Url;

use super::BuildError;
use crate::upstream::{Target, UpstreamOptions};

/// Settings that engine and Dashboards have alike.
pub(super) struct Servers<'a> {
    /// Where in the configuration they are, for errors.
    at: String,
    urls: &'a [Url],
    ca: Option<&'a Path>,
    client_certificate: Option<&'a model::ServerTls>,
    connect_timeout: Duration,
    response_timeout: Option<Duration>,
    max_idle: usize,
    idle_timeout: Duration,
    health: Health,
}

struct Health {
    path: String,
    interval: Duration,
    timeout: Duration,
    failures: u32,
}

impl<'a> Servers<'a> {
    /// The nodes of the engine.
    pub(super) fn engine(settings: &'a model::Cluster) -> Self {
        let model::Health { path, interval, timeout, failures } = &settings.health;
        Self {
            at: format!("clusters[{}]", settings.name),
            urls: &settings.nodes,
            ca: settings.ca.as_deref(),
            client_certificate: settings.client_certificate.as_ref(),
            connect_timeout: settings.connect_timeout.get(),
            response_timeout: settings.response_timeout.map(config::value::Duration::get),
            max_idle: settings.max_idle_connections,
            idle_timeout: settings.idle_timeout.get(),
            health: Health {
                path: path.clone(),
                interval: interval.get(),
                timeout: timeout.get(),
                failures: *failures,
            },
        }
    }

    /// The servers of Dashboards.
    pub(super) fn dashboards(cluster: &str, settings: &'a model::Dashboards) -> Self {
        let model::DashboardsHealth { path, interval, timeout, failures } = &settings.health;
        let base = settings.base_path.as_deref().unwrap_or_default();
        Self {
            at: format!("clusters[{cluster}].dashboards"),
            urls: &settings.nodes,
            ca: settings.ca.as_deref(),
            client_certificate: settings.client_certificate.as_ref(),
            connect_timeout: settings.connect_timeout.get(),
            response_timeout: settings.response_timeout.map(config::value::Duration::get),
            max_idle: settings.max_idle_connections,
            idle_timeout: settings.idle_timeout.get(),
            health: Health {
                path: format!("{base}{path}"),
                interval: interval.get(),
                timeout: timeout.get(),
                failures: *failures,
            },
        }
    }

    /// How they are reached. Reads the files of CA and certificate.
    pub(super) fn options(self) -> Result<UpstreamOptions, BuildError> {
        let Self { at, urls, ca, client_certificate, health, .. } = self;
        let tls = TlsOptions {
            ca: ca.map(PathBuf::from),
            identity: client_certificate.map(|files| (files.certificate.clone(), files.private_key.clone())),
        };
        let tls = transport::client_config(&tls, &[b"http/1.1"])
            .map_err(|source| BuildError::Tls { at: at.clone(), source: Box::new(source) })?;
        let targets = urls.iter().map(|url| Target::new(url, &tls)).collect::<Result<_, _>>();
        if health.path.parse::<PathAndQuery>().is_err() || !health.path.starts_with('/') {
            return Err(BuildError::HealthPath(at));
        }
        Ok(UpstreamOptions {
            targets: targets.map_err(|source| BuildError::Node { at, source })?,
            connect_timeout: self.connect_timeout,
            response_timeout: self.response_timeout,
            max_idle: self.max_idle,
            idle_timeout: self.idle_timeout,
            health_path: health.path,
            health_interval: health.interval,
            health_timeout: health.timeout,
            health_failures: health.failures,
        })
    }
}
