//! Which operation a method and a path name.

use http::Method;
use oauth::{ErrorCode, OAuthError};

/// What can be asked of the token service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operation {
    Metadata,
    OpenApi,
    Issue,
    List,
    RevokeMany,
    Show,
    Revoke,
    Rotate,
    RevokeSecret,
    Introspect,
    Revocations,
    AddRevocation,
    WithdrawRevocation,
    Requests,
    Approve,
    Deny,
    Review,
    Authorize,
    Callback,
    Decide,
    DeviceAuthorization,
    DevicePage,
    DeviceCode,
    Consents,
    WithdrawConsent,
    PolicySets,
    ShowPolicies,
    WritePolicies,
    PolicyVersions,
    ShowPolicyVersion,
    RollBackPolicies,
}

impl Operation {
    /// What it is about, in audit records.
    pub(crate) fn of(self) -> &'static str {
        match self {
            Self::PolicySets
            | Self::ShowPolicies
            | Self::WritePolicies
            | Self::PolicyVersions
            | Self::ShowPolicyVersion
            | Self::RollBackPolicies => "policies",
            _ => "tokens",
        }
    }

    /// Whether a person sees the answer, in a browser.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self, Self::Authorize | Self::Callback | Self::Decide | Self::DevicePage | Self::DeviceCode)
    }
}

/// One way to ask for an operation.
#[derive(Debug)]
pub(crate) struct Route {
    /// The method.
    pub(crate) method: Method,
    /// The path; `{id}` stands for one segment, and so does `{version}` at its end.
    pub(crate) path: &'static str,
    /// What it asks for.
    pub(crate) operation: Operation,
    /// The operation's name in audit records, metrics and the `OpenAPI` document.
    pub(crate) name: &'static str,
}

const fn route(method: Method, path: &'static str, operation: Operation, name: &'static str) -> Route {
    Route { method, path, operation, name }
}

/// Everything that is served.
pub(crate) static ROUTES: [Route; 31] = [
    route(Method::GET, "/.well-known/oauth-authorization-server", Operation::Metadata, "oauth.metadata"),
    route(Method::GET, "/oauth/openapi.json", Operation::OpenApi, "oauth.openapi"),
    route(Method::POST, "/oauth/token", Operation::Issue, "oauth.token.issue"),
    route(Method::GET, "/oauth/tokens", Operation::List, "oauth.tokens.list"),
    route(Method::POST, "/oauth/tokens/revoke", Operation::RevokeMany, "oauth.tokens.revoke"),
    route(Method::GET, "/oauth/token/{id}", Operation::Show, "oauth.token.show"),
    route(Method::DELETE, "/oauth/token/{id}", Operation::Revoke, "oauth.token.revoke"),
    route(Method::POST, "/oauth/token/{id}/rotate", Operation::Rotate, "oauth.token.rotate"),
    route(Method::POST, "/oauth/revoke", Operation::RevokeSecret, "oauth.revoke"),
    route(Method::POST, "/oauth/introspect", Operation::Introspect, "oauth.introspect"),
    route(Method::GET, "/oauth/revocations", Operation::Revocations, "oauth.revocations.list"),
    route(Method::POST, "/oauth/revocations", Operation::AddRevocation, "oauth.revocations.add"),
    route(
        Method::DELETE,
        "/oauth/revocations/{id}",
        Operation::WithdrawRevocation,
        "oauth.revocations.withdraw",
    ),
    route(Method::GET, "/oauth/requests", Operation::Requests, "oauth.requests.list"),
    route(Method::POST, "/oauth/requests/{id}/approve", Operation::Approve, "oauth.requests.approve"),
    route(Method::POST, "/oauth/requests/{id}/deny", Operation::Deny, "oauth.requests.deny"),
    route(Method::GET, "/oauth/review", Operation::Review, "oauth.review"),
    route(Method::GET, "/oauth/authorize", Operation::Authorize, "oauth.authorize"),
    route(Method::GET, "/oauth/callback", Operation::Callback, "oauth.callback"),
    route(Method::POST, "/oauth/consent", Operation::Decide, "oauth.consent.decide"),
    route(Method::POST, "/oauth/device_authorization", Operation::DeviceAuthorization, "oauth.device.begin"),
    route(Method::GET, "/oauth/device", Operation::DevicePage, "oauth.device.page"),
    route(Method::POST, "/oauth/device", Operation::DeviceCode, "oauth.device.enter"),
    route(Method::GET, "/oauth/consents", Operation::Consents, "oauth.consents.list"),
    route(Method::DELETE, "/oauth/consents/{id}", Operation::WithdrawConsent, "oauth.consents.withdraw"),
    route(Method::GET, "/oauth/policies", Operation::PolicySets, "oauth.policies.list"),
    route(Method::GET, "/oauth/policies/{id}", Operation::ShowPolicies, "oauth.policies.show"),
    route(Method::PUT, "/oauth/policies/{id}", Operation::WritePolicies, "oauth.policies.write"),
    route(Method::GET, "/oauth/policies/{id}/versions", Operation::PolicyVersions, "oauth.policies.versions"),
    route(
        Method::GET,
        "/oauth/policies/{id}/versions/{version}",
        Operation::ShowPolicyVersion,
        "oauth.policies.version",
    ),
    route(
        Method::POST,
        "/oauth/policies/{id}/rollback",
        Operation::RollBackPolicies,
        "oauth.policies.rollback",
    ),
];

/// Whether a path is the token service's: whatever is below `/oauth/`, served or not.
pub fn owns(path: &str) -> bool {
    path.starts_with("/oauth/") || path == ROUTES[0].path
}

/// The segments of a path that placeholders stand for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Named<'p> {
    pub(crate) id: Option<&'p str>,
    pub(crate) version: Option<&'p str>,
}

/// The route of a request, and the segments that its placeholders stand for.
pub(crate) fn find<'p>(method: &Method, path: &'p str) -> Result<(&'static Route, Named<'p>), OAuthError> {
    let mut there = false;
    for route in &ROUTES {
        if let Some(named) = matches(route.path, path) {
            if route.method == *method {
                return Ok((route, named));
            }
            there = true;
        }
    }
    Err(if there {
        OAuthError::new(
            ErrorCode::MethodNotAllowed,
            format!("the method {method} is not served at this path"),
        )
    } else {
        OAuthError::new(ErrorCode::NotFound, "nothing is served at this path; see /oauth/openapi.json")
    })
}

/// The methods served at a path, for `Allow`.
pub(crate) fn allowed(path: &str) -> String {
    let methods = ROUTES.iter().filter(|route| matches(route.path, path).is_some());
    methods.map(|route| route.method.as_str()).collect::<Vec<_>>().join(", ")
}

fn matches<'p>(template: &str, path: &'p str) -> Option<Named<'p>> {
    let Some((before, after)) = template.split_once("{id}") else {
        return (template == path).then_some(Named::default());
    };
    let rest = path.strip_prefix(before)?;
    let (id, version) = match after.strip_suffix("{version}") {
        None => (rest.strip_suffix(after)?, None),
        Some(between) => {
            let (id, version) = rest.split_once(between)?;
            (id, Some(version))
        }
    };
    let is_segment = |text: &str| !text.is_empty() && !text.contains('/');
    (is_segment(id) && version.is_none_or(is_segment)).then_some(Named { id: Some(id), version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_one_thing() {
        let table = [
            ("POST", "/oauth/token", Some(("oauth.token.issue", None))),
            ("GET", "/oauth/token/tok_a", Some(("oauth.token.show", Some("tok_a")))),
            ("DELETE", "/oauth/token/tok_a", Some(("oauth.token.revoke", Some("tok_a")))),
            ("POST", "/oauth/token/tok_a/rotate", Some(("oauth.token.rotate", Some("tok_a")))),
            ("DELETE", "/oauth/consents/con_a", Some(("oauth.consents.withdraw", Some("con_a")))),
            ("POST", "/oauth/requests/tok_a/deny", Some(("oauth.requests.deny", Some("tok_a")))),
            ("GET", "/oauth/token/", None),
            ("GET", "/oauth/token/a/b", None),
            ("GET", "/oauth/token//rotate", None),
            ("GET", "/oauth/tokens/", None),
            ("GET", "/oauth/nothing", None),
            ("GET", "/oauth/token", None),
        ];
        for (method, path, expected) in table {
            let found =
                find(&method.parse().unwrap(), path).ok().map(|(route, named)| (route.name, named.id));
            assert_eq!(found, expected, "{method} {path}");
        }
        assert!(owns("/oauth/x") && owns("/.well-known/oauth-authorization-server"));
        assert!(!owns("/oauth") && !owns("/oauth2/x") && !owns("/.well-known/oauth-protected-resource"));
        let named = |path| find(&Method::GET, path).ok().map(|(route, named)| (route.name, named));
        let version = Named { id: Some("company"), version: Some("3") };
        assert_eq!(named("/oauth/policies/company/versions/3"), Some(("oauth.policies.version", version)));
        assert_eq!(named("/oauth/policies/company/versions/"), None);
        assert_eq!(named("/oauth/policies/company/versions/3/4"), None);
        assert_eq!(allowed("/oauth/token/tok_a"), "GET, DELETE");
        assert_eq!(find(&Method::PUT, "/oauth/token").unwrap_err().code, ErrorCode::MethodNotAllowed);
    }

    #[test]
    fn the_published_description_names_what_is_served() {
        let document: serde_json::Value = serde_json::from_str(super::super::OPENAPI).unwrap();
        let mut described = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in
                item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
            {
                let name = operation["operationId"].as_str().unwrap().to_owned();
                described.push((path.clone(), method.to_uppercase(), name));
            }
        }
        described.sort_unstable();
        let mut served: Vec<_> = ROUTES
            .iter()
            .map(|route| (route.path.to_owned(), route.method.to_string(), route.name.to_owned()))
            .collect();
        served.sort_unstable();
        assert_eq!(described, served);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ROUTES.iter().map(|route| route.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROUTES.len());
    }
}
