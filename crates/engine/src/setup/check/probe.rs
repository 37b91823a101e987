//! Asking a running engine who it takes the proxy's credentials for.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    time::SystemTime,
};

use access::Permit;
use serde_json::{Map, Value};

use super::Finding;
use crate::{
    Caller, Credential, EngineIdentity, IdentityError, KeyKind, SigningKey, generate_key,
    setup::{
        ApiError, Setup,
        api::{Api, Current},
    },
};

pub(super) async fn probe(setup: &Setup, current: &Current, api: &Api<'_>) -> Result<Vec<Finding>, ApiError> {
    let everyones = everyones_roles(&current.roles_mapping);
    let mut findings = Vec::new();
    match &setup.identity {
        EngineIdentity::Forward => {}
        EngineIdentity::BackendUser(users) => {
            for (name, user) in &setup.internal_users {
                let expected = user.backend_roles.iter().filter_map(|text| setup.scopes.get(text)).collect();
                let what = format!(
                    "the engine accepts user `{name}` with the password of the proxy's configuration"
                );
                findings.push(one(api, what, users.of(name), &expected, &everyones).await?);
            }
        }
        EngineIdentity::SignedJwt(_) | EngineIdentity::ProxyHeaders(_) => {
            for (scope, role) in &setup.scopes {
                let what = format!("a caller with `{scope}` is user and roles as intended");
                let expected = BTreeSet::from([role]);
                findings
                    .push(one(api, what, credential(&setup.identity, scope), &expected, &everyones).await?);
            }
        }
    }
    if let EngineIdentity::SignedJwt(identity) = &setup.identity {
        findings.push(foreign_key(api, identity).await?);
    }
    Ok(findings)
}

/// The credential of a made-up caller to whom one scope allows a request.
fn credential(identity: &EngineIdentity, scope: &str) -> Result<Credential, IdentityError> {
    let mut permit = Permit::default();
    permit.scopes.push(scope.into());
    identity.credential(&Caller {
        provider: "engine-setup",
        user_id: Some("probe"),
        client_id: None,
        subject: "probe",
        permit: &permit,
        claims: &Map::new(),
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        token: None,
        now: SystemTime::now(),
    })
}

async fn one(
    api: &Api<'_>,
    what: String,
    credential: Result<Credential, IdentityError>,
    expected: &BTreeSet<&String>,
    everyones: &BTreeSet<&str>,
) -> Result<Finding, ApiError> {
    let credential = match credential {
        Ok(credential) => credential,
        Err(error) => {
            let cure = "correct the proxy's configuration";
            return Ok(Finding::differs(what, "a credential", error.to_string(), cure));
        }
    };
    let intended = format!("user `{}` with roles {expected:?}", credential.name());
    let Some(info) = api.authinfo(&credential).await? else {
        return Ok(Finding::differs(
            what,
            intended,
            "the engine refuses the credential",
            "see the findings on the domain above; then compare the clocks of proxy and engine, and for `proxy_headers` \
             whether `xff.internalProxies` matches the address that this call came from",
        ));
    };
    let user = info["user_name"].as_str().unwrap_or_default();
    let roles: BTreeSet<&str> = texts(&info["roles"]).collect();
    let more: Vec<_> = roles
        .iter()
        .filter(|role| !everyones.contains(**role) && !expected.iter().any(|wanted| wanted == *role))
        .collect();
    if user == credential.name()
        && expected.iter().all(|role| roles.contains(role.as_str()))
        && more.is_empty()
    {
        return Ok(Finding::ok(what));
    }
    let cure = if more.is_empty() {
        "see the findings on roles and mappings above".to_owned()
    } else {
        format!("find out which role mapping gives {more:?} and narrow it")
    };
    Ok(Finding::differs(what, intended, format!("user `{user}` with roles {roles:?}"), cure))
}

/// A token like the proxy's, but of another key: an engine that accepts it checks nothing.
async fn foreign_key(api: &Api<'_>, identity: &crate::SignedJwt) -> Result<Finding, ApiError> {
    let what = "a token signed by another key is refused";
    let forged = generate_key(KeyKind::P256)
        .and_then(|pem| SigningKey::from_pem(&pem))
        .map_err(|_| IdentityError::Sign)
        .and_then(|key| identity.with_key(key))
        .and_then(|identity| credential(&EngineIdentity::SignedJwt(identity), "read:nothing"));
    let Ok(forged) = forged else {
        return Ok(Finding::differs(what, "a token to try", "none could be made", "try again"));
    };
    Ok(match api.authinfo(&forged).await? {
        None => Finding::ok(what),
        Some(info) => Finding::differs(
            what,
            "401",
            format!("user `{}`", info["user_name"].as_str().unwrap_or_default()),
            "some domain of the engine accepts tokens of unknown keys, or anonymous access is on: find and close it",
        ),
    })
}

/// Roles that every user of the engine has.
fn everyones_roles(mappings: &Map<String, Value>) -> BTreeSet<&str> {
    mappings
        .iter()
        .filter(|(_, mapping)| texts(&mapping["users"]).any(|user| user == "*"))
        .map(|(role, _)| role.as_str())
        .collect()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}
