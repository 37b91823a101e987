//! Discovery (OpenID Connect Discovery 1.0, RFC 8414).

use serde::Deserialize;
use url::Url;

use crate::error::{Error, Result, printable};
use crate::net::{Http, secure_url};

/// What a provider says of itself, as far as it is used here.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Metadata {
    /// The issuer; the same as was asked.
    pub(crate) issuer: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: String,
    pub(super) device_authorization_endpoint: Option<String>,
    pub(super) revocation_endpoint: Option<String>,
    code_challenge_methods_supported: Option<Vec<String>>,
    /// RFC 9207 section 3.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Asks `issuer`. Every endpoint in the answer is one that secrets may be sent to.
    pub(crate) async fn discover(http: &Http, issuer: &str) -> Result<Self> {
        let base = secure_url(issuer, &format!("the issuer {}", printable(issuer)))?;
        let mut found: Option<Self> = None;
        for candidate in addresses(&base) {
            found = http.document(&candidate).await?;
            if found.is_some() {
                break;
            }
        }
        let found = found.ok_or_else(|| {
            Error::outside(format!(
                "{} tells nothing of itself: there is no discovery document",
                printable(issuer)
            ))
            .cure("is the issuer right? It is the `iss` of the tokens, to the letter")
        })?;
        if found.issuer != issuer {
            // OpenID Connect Discovery 4.3: otherwise one provider could pass for another.
            let says = printable(&found.issuer);
            return Err(Error::refused(format!("{} says that it is {says}", printable(issuer)))
                .cure("add the context again with the issuer exactly as the provider writes it"));
        }
        found.check()?;
        Ok(found)
    }

    fn check(&self) -> Result<()> {
        let optional =
            [&self.authorization_endpoint, &self.device_authorization_endpoint, &self.revocation_endpoint];
        let endpoints = optional.into_iter().filter_map(Option::as_ref).chain([&self.token_endpoint]);
        for endpoint in endpoints {
            let mut bare = Url::parse(endpoint).map_err(|_| {
                Error::outside(format!("{} names an endpoint that is no URL", printable(&self.issuer)))
            })?;
            bare.set_query(None);
            secure_url(bare.as_str(), &format!("the endpoint {}", transport::redact_url(&bare)))?;
        }
        match &self.code_challenge_methods_supported {
            Some(methods) if !methods.iter().any(|method| method == "S256") => {
                Err(Error::refused(format!("{} does not support PKCE with S256", printable(&self.issuer)))
                    .cure("allow it for this client at the provider; without it a login could be stolen"))
            }
            // Some providers support it and do not say so.
            _ => Ok(()),
        }
    }
}

/// Where the document may be: the place of OpenID Connect, then that of RFC 8414.
fn addresses(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/').to_owned();
    let with = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    [
        with(format!("{path}/.well-known/openid-configuration")),
        with(format!("/.well-known/oauth-authorization-server{path}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_document_may_be() {
        for (issuer, expected) in [
            (
                "https://a.example/realms/main",
                [
                    "https://a.example/realms/main/.well-known/openid-configuration",
                    "https://a.example/.well-known/oauth-authorization-server/realms/main",
                ],
            ),
            (
                "https://a.example/",
                [
                    "https://a.example/.well-known/openid-configuration",
                    "https://a.example/.well-known/oauth-authorization-server",
                ],
            ),
        ] {
            assert_eq!(addresses(&issuer.parse().unwrap()).map(String::from), expected);
        }
    }
}
