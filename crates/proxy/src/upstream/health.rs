//! Active health checks: is the node there, and does it answer HTTP?

use std::sync::Arc;

use http::{Method, Request, StatusCode, header};
use http_body_util::Empty;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{UpstreamOptions, node::Node};
use crate::errors::chain;

pub(super) async fn watch(nodes: &[Arc<Node>], options: &UpstreamOptions) {
    let mut ticks = interval(options.health_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        check_all(nodes, options).await;
        for node in nodes {
            node.pool().sweep();
        }
    }
}

pub(super) async fn check_all(nodes: &[Arc<Node>], options: &UpstreamOptions) {
    let mut checks = tokio::task::JoinSet::new();
    for node in nodes {
        let (node, options) = (Arc::clone(node), options.clone());
        checks.spawn(async move {
            match timeout(options.health_timeout, ask(&node, &options)).await {
                Ok(Ok(status)) if !status.is_server_error() => node.check_succeeded(),
                Ok(Ok(status)) => node.check_failed(&format!("the health check was answered {status}")),
                Ok(Err(why)) => node.check_failed(&why),
                Err(_) => node.check_failed("the health check was not answered in time"),
            }
        });
    }
    while checks.join_next().await.is_some() {}
}

/// One check on a connection of its own: a pooled one could answer from a node that takes no new connections.
async fn ask(node: &Node, options: &UpstreamOptions) -> Result<StatusCode, String> {
    let mut sender = node.probe(options.connect_timeout).await.map_err(|error| chain(&error))?;
    let request = Request::builder()
        .method(Method::GET)
        .uri(&options.health_path)
        .header(header::HOST, node.name())
        .body(Empty::new())
        .map_err(|error| chain(&error))?;
    let response = sender.send_request(request).await.map_err(|error| chain(&error))?;
    Ok(response.status())
}
