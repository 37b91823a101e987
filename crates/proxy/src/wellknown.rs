//! Protected resource metadata (RFC 9728): how a client that got a 401 learns which provider to ask for a token.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::snapshot::{Route, Snapshot};

/// The well-known path; a resource with a path of its own has that path appended (RFC 9728 §3.1).
pub const PATH: &str = "/.well-known/oauth-protected-resource";

#[derive(Serialize)]
struct Metadata<'a> {
    resource: String,
    authorization_servers: Vec<&'a str>,
    /// Not of RFC 9728, which lets a resource add members of its own (section 2): the configured names of these servers,
    /// for a client that lets people choose.
    authorization_server_names: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    scopes_supported: &'a [String],
    bearer_methods_supported: [&'static str; 1],
    resource_name: &'a str,
}

/// The resource path that a request for metadata names: `Some("")` for the proxy itself. `None` when the path is
/// something else.
pub fn resource_path(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(PATH)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest.trim_end_matches('/'))
}

/// The metadata document of what a request is routed to.
pub fn metadata(snapshot: &Snapshot, route: &Route) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Metadata {
        resource: route.cluster.resource(&route.destination).to_owned(),
        authorization_servers: snapshot.providers_by_name().map(|(_, issuer)| issuer).collect(),
        authorization_server_names: snapshot.providers_by_name().collect(),
        scopes_supported: route.cluster.scopes_supported(),
        bearer_methods_supported: ["header"],
        resource_name: route.cluster.name(),
    })
}

#[cfg(test)]
mod tests {
    use super::resource_path;

    #[test]
    fn paths() {
        let table = [
            ("/.well-known/oauth-protected-resource", Some("")),
            ("/.well-known/oauth-protected-resource/", Some("")),
            ("/.well-known/oauth-protected-resource/prod", Some("/prod")),
            ("/.well-known/oauth-protected-resources", None),
            ("/.well-known/openid-configuration", None),
        ];
        for (path, expected) in table {
            assert_eq!(resource_path(path), expected, "{path}");
        }
    }
}
