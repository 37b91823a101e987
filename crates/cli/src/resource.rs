//! What a proxy says of itself: protected resource metadata (RFC 9728).

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use crate::error::{Error, Result, printable};
use crate::net::Http;
use crate::store::is_name;

/// The metadata of one cluster behind the proxy.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Resource {
    #[serde(rename = "resource")]
    address: String,
    #[serde(default)]
    authorization_servers: Vec<String>,
    /// The scopes that help here.
    #[serde(default)]
    pub(crate) scopes_supported: Vec<String>,
    /// The proxy's own names for its authorization servers.
    #[serde(default)]
    authorization_server_names: BTreeMap<String, String>,
}

impl Resource {
    /// Asks the proxy at `url`.
    pub(crate) async fn discover(http: &Http, url: &Url) -> Result<Self> {
        let place = address(url);
        let found: Option<Self> = http.document(&place).await?;
        let found = found.ok_or_else(|| {
            Error::outside(format!("{url} is no opensearch-oauth-proxy: there is no {}", place.path()))
                .cure("check the address; or name the provider yourself with --provider NAME=ISSUER")
        })?;
        // RFC 9728 section 3.3: otherwise one server could pass for another.
        let same = Url::parse(&found.address).is_ok_and(|said| canonical(&said) == canonical(url));
        if same {
            return Ok(found);
        }
        Err(Error::refused(format!("{url} says that its address is {}", printable(&found.address)))
            .cure("use that address, or have `public_url` of the proxy corrected"))
    }

    /// Its providers, by name: that which the proxy uses, else one made from the issuer.
    pub(crate) fn providers(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for issuer in &self.authorization_servers {
            let named = self
                .authorization_server_names
                .iter()
                .find(|(name, known)| *known == issuer && is_name(name));
            let name = named.map_or_else(|| name_of(issuer), |(name, _)| name.clone());
            let name = if found.contains_key(&name) { format!("{name}-{}", found.len() + 1) } else { name };
            found.insert(name, issuer.clone());
        }
        found
    }
}

/// Where the metadata of a resource is: its own path comes after the well-known one (RFC 9728 section 3.1).
fn address(url: &Url) -> Url {
    let mut place = url.clone();
    place.set_path(&format!("/.well-known/oauth-protected-resource{}", url.path().trim_end_matches('/')));
    place
}

fn canonical(url: &Url) -> (url::Origin, String) {
    (url.origin(), url.path().trim_end_matches('/').to_owned())
}

/// The last part of the path, or the host.
fn name_of(issuer: &str) -> String {
    let url = Url::parse(issuer).ok();
    let last =
        url.as_ref().and_then(|url| url.path_segments()?.rfind(|part| is_name(part)).map(str::to_owned));
    let host = || url.as_ref().and_then(|url| url.host_str().filter(|host| is_name(host)).map(str::to_owned));
    last.or_else(host).unwrap_or_else(|| "provider".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn where_the_metadata_is() {
        for (url, expected) in [
            (
                "https://search.example:8443",
                "https://search.example:8443/.well-known/oauth-protected-resource",
            ),
            (
                "https://search.example/prod",
                "https://search.example/.well-known/oauth-protected-resource/prod",
            ),
            (
                "https://search.example/prod/",
                "https://search.example/.well-known/oauth-protected-resource/prod",
            ),
        ] {
            assert_eq!(address(&url.parse().unwrap()).as_str(), expected);
        }
    }

    #[test]
    fn providers_have_names() {
        let resource: Resource = serde_json::from_value(json!({
            "resource": "https://search.example",
            "authorization_servers": [
                "https://login.example/realms/main",
                "https://other.example/realms/main",
                "https://third.example/",
                "https://fourth.example/x",
            ],
            "authorization_server_names": {"fourth": "https://fourth.example/x", "no name": "https://third.example/"},
        }))
        .unwrap();
        let expected = [
            ("main", "https://login.example/realms/main"),
            ("main-2", "https://other.example/realms/main"),
            ("third.example", "https://third.example/"),
            ("fourth", "https://fourth.example/x"),
        ];
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|(name, issuer)| (name.to_owned(), issuer.to_owned())).collect();
        assert_eq!(resource.providers(), expected);
    }
}
