//! Asking a running engine who it takes the proxy's credentials for.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    time::SystemTime,
};

use access::Permit;
use claims::Claims;
use serde_json::{Map, Value};

use super::{Finding, compare::matches};
use crate::{
    Caller, Credential, EngineIdentity, IdentityError, KeyKind, SigningKey, generate_key,
    setup::{
        ApiError, KEEPER, LISTER, Setup,
        api::{Api, Current},
    },
};

/// A credential to try and what the engine should take it for.
struct Probe<'a> {
    what: String,
    credential: Result<Credential, IdentityError>,
    expected: BTreeSet<&'a str>,
    /// Further roles that are no surprise.
    tolerated: BTreeSet<&'a str>,
}

pub(super) async fn probe(setup: &Setup, current: &Current, api: &Api<'_>) -> Result<Vec<Finding>, ApiError> {
    let mut findings = Vec::new();
    for probe in probes(setup, current) {
        let (finding, refused) = one(api, probe).await?;
        findings.push(finding);
        // The others would be refused for the same reason.
        if refused && !matches!(setup.identity, EngineIdentity::BackendUser(_)) {
            break;
        }
    }
    if let EngineIdentity::SignedJwt(identity) = &setup.identity {
        findings.push(foreign_key(api, identity).await?);
    }
    Ok(findings)
}

fn probes<'a>(setup: &'a Setup, current: &'a Current) -> Vec<Probe<'a>> {
    let everyones = everyones_roles(&current.roles_mapping);
    match &setup.identity {
        // Of `api_token`, the fallback is tried.
        EngineIdentity::Forward | EngineIdentity::ApiToken(_) => Vec::new(),
        EngineIdentity::BackendUser(users) => setup
            .internal_users
            .iter()
            .map(|(name, user)| {
                let (scopes, foreign): (Vec<_>, Vec<_>) =
                    user.backend_roles.iter().partition(|text| setup.role_of(text).is_some());
                let given = current
                    .roles_mapping
                    .iter()
                    .filter(|(_, mapping)| matches(foreign.iter().copied(), mapping).next().is_some())
                    .map(|(role, _)| role.as_str());
                Probe {
                    what: format!(
                        "the engine accepts user `{name}` with the password of the proxy's configuration"
                    ),
                    credential: users.of(name),
                    expected: scopes.into_iter().filter_map(|text| setup.role_of(text)).collect(),
                    tolerated: everyones.iter().copied().chain(given).collect(),
                }
            })
            .collect(),
        EngineIdentity::SignedJwt(_) | EngineIdentity::ProxyHeaders(_) => setup
            .scopes
            .iter()
            .map(|(scope, role)| Probe {
                what: format!("a caller with `{scope}` is user and roles as intended"),
                credential: credential(&setup.identity, scope),
                expected: BTreeSet::from([role.as_str()]),
                tolerated: everyones.clone(),
            })
            .chain(setup.lists.then(|| Probe {
                what: "the proxy itself may list the names of the cluster, and no more".to_owned(),
                credential: setup.identity.for_catalogue(None, SystemTime::now()),
                expected: BTreeSet::from([LISTER]),
                tolerated: everyones.clone(),
            }))
            .chain(setup.keeps.then(|| Probe {
                what: "the proxy itself may keep managed tokens in their index, and no more".to_owned(),
                credential: setup.identity.for_tokens(None, SystemTime::now()),
                expected: BTreeSet::from([KEEPER]),
                tolerated: everyones.clone(),
            }))
            .collect(),
    }
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
        claims: &Claims::default(),
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        token: None,
        now: SystemTime::now(),
    })
}

/// The finding, and whether the engine refused the credential.
async fn one(api: &Api<'_>, probe: Probe<'_>) -> Result<(Finding, bool), ApiError> {
    let Probe { what, credential, expected, tolerated } = probe;
    let credential = match credential {
        Ok(credential) => credential,
        Err(error) => {
            let cure = "correct the proxy's configuration";
            return Ok((Finding::differs(what, "a credential", error.to_string(), cure), false));
        }
    };
    let intended = format!("user `{}` with roles {expected:?}", credential.name());
    let Some(info) = api.authinfo(&credential).await? else {
        let finding = Finding::differs(
            what,
            intended,
            "the engine refuses the credential",
            "see the findings above; then compare the clocks of proxy and engine, and for `proxy_headers` whether \
             `xff.internalProxies` matches the address that this call came from",
        );
        return Ok((finding, true));
    };
    let user = info["user_name"].as_str().unwrap_or_default();
    let roles: BTreeSet<&str> = texts(&info["roles"]).collect();
    let more: Vec<_> =
        roles.iter().filter(|role| !expected.contains(*role) && !tolerated.contains(*role)).collect();
    if user == credential.name() && expected.is_subset(&roles) && more.is_empty() {
        return Ok((Finding::ok(what), false));
    }
    let cure = if more.is_empty() {
        "see the findings on roles and mappings above".to_owned()
    } else {
        format!("find out which role mapping gives {more:?} and narrow it")
    };
    Ok((Finding::differs(what, intended, format!("user `{user}` with roles {roles:?}"), cure), false))
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
