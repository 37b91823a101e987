//! The person decides: what is asked, the page that asks it, and what comes of the answer.

use std::{sync::Arc, time::Duration};

use access::Scope;
use http::HeaderMap;
use jiff::Timestamp;
use oauth::{ErrorCode, Form, is_loopback_redirect};
use tokens::{
    Allowed, AuthorizationState, Claims, Details, GrantCode, Permission, Terms, UserCode, Verdict, Way,
};

use super::{
    Api,
    answer::{Answer, Fault},
    authorize::Back,
    browser::{self, SameSite},
    caller::party,
    clients::Client,
    flow::{self, Asking, AskingWay, AtConsent},
    issue::{judge, kept_claims, scope},
    login::to_asker,
    manage::of_tokens,
    pages,
};
use crate::{authenticate, principal::Principal, record::Entry, snapshot::Cluster};

/// How long a code is good, in seconds.
const CODE_LIFETIME: u64 = 60;

/// A person who has logged in.
#[derive(Debug)]
pub(crate) struct Person(Arc<Principal>);

impl Person {
    pub(crate) fn new(principal: Arc<Principal>) -> Self {
        Self(principal)
    }

    pub(crate) fn principal(&self) -> &Principal {
        &self.0
    }

    /// Somebody whose claims were verified earlier, by the rules of now.
    pub(crate) fn recalled(
        api: &Api<'_>,
        issuer: &str,
        claims: serde_json::Map<String, serde_json::Value>,
    ) -> Result<Self, Fault> {
        let refuse = |error| Fault::presented(ErrorCode::AccessDenied, "the login", &error);
        let identity =
            api.snapshot.providers().recall(issuer, claims).map_err(|error| refuse(error.into()))?;
        authenticate::not_revoked(&identity, api.snapshot).map_err(refuse)?;
        Ok(Self(Arc::new(Principal::new(identity, api.snapshot))))
    }

    fn name(&self) -> &str {
        let identity = self.0.identity();
        identity.user_id.as_deref().unwrap_or(&identity.subject)
    }
}

/// What a person can give a client of what it asks for.
#[derive(Debug)]
pub(crate) struct Offer {
    /// How long the longest token could live is in its `lifetime`.
    pub(crate) permission: Permission,
    /// What is asked for and the person cannot give, or not whole.
    pub(crate) withheld: Vec<Scope>,
    /// The lifetime that is proposed, in seconds.
    pub(crate) proposed: u64,
    /// Whether somebody else must agree, too.
    pub(crate) approval: bool,
}

/// On what terms a client gets a token for a person.
pub(crate) fn terms(
    api: &Api<'_>,
    person: &Person,
    client: &Client,
    permission: &Permission,
) -> Result<Terms, Fault> {
    let details = Details::new(Some(&client.name), None, []);
    let asked = tokens::Asked {
        scopes: Some(permission.scopes.clone()),
        lifetime: Some(Duration::from_secs(permission.lifetime)),
        details: details.map_err(|error| Fault::internal(error.to_string()))?,
        owner: None,
    };
    judge(api, person.principal(), asked, &named_clusters(api, &permission.clusters)?)
}

fn offer(api: &Api<'_>, person: &Person, client: &Client, asking: &Asking) -> Result<Offer, Fault> {
    let scopes = match &asking.scopes {
        Some(scopes) => scopes.iter().map(|text| scope(text)).collect::<Result<Vec<_>, _>>()?,
        None => client.scopes().to_vec(),
    };
    // Rules may have changed since the client asked.
    client.must_reach(&scopes)?;
    let clusters: Vec<Box<str>> = asking.clusters.iter().map(|name| name.as_str().into()).collect();
    let policies = api.service.policies();
    let longest = client.max_lifetime.unwrap_or(policies.max_lifetime).as_secs();
    let asked = Permission { client_id: client.id().into(), scopes, clusters, lifetime: longest };
    let terms = terms(api, person, client, &asked).map_err(|fault| {
        Fault::new(ErrorCode::AccessDenied, format!("you can give it nothing: {}", fault.description()))
    })?;
    let longest = terms.lifetime().as_secs();
    Ok(Offer {
        withheld: terms.narrowed().to_vec(),
        approval: terms.approval() == tokens::Approval::Required,
        proposed: asking.lifetime.unwrap_or(policies.default_lifetime.as_secs()).min(longest),
        permission: Permission { scopes: terms.scopes().to_vec(), lifetime: longest, ..asked },
    })
}

/// The clusters of these names, which must all still be there.
pub(crate) fn named_clusters<'s>(api: &Api<'s>, names: &[Box<str>]) -> Result<Vec<&'s Cluster>, Fault> {
    let all = || api.snapshot.clusters().iter().map(|cluster| &**cluster);
    let named = names.iter().map(|name| all().find(|cluster| *cluster.name() == **name));
    named.collect::<Option<_>>().ok_or_else(|| {
        Fault::new(ErrorCode::InvalidTarget, "a cluster that it was to be for is not there any more")
    })
}

/// Asks the person, unless they have allowed all of it before.
pub(crate) async fn ask(
    api: &Api<'_>,
    flow: &str,
    asking: &Asking,
    person: Person,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let client = client(api, asking)?;
    let offer = offer(api, &person, client, asking)?;
    if let Some(permission) = remembered(api, &person, asking, &offer) {
        entry.note(|record| record.detail = Some("allowed before".to_owned()));
        return allow(api, asking, &person, permission, entry).await;
    }
    if matches!(asking.way, AskingWay::Code { silent: true, .. }) {
        return Err(Fault::new(ErrorCode::ConsentRequired, "the person must be asked"));
    }
    let identity = person.principal().identity();
    let step = AtConsent {
        asking: asking.clone(),
        issuer: identity.issuer.to_string(),
        claims: kept_claims(identity),
    };
    // Only the browser with this cookie can send the page's form.
    let binding = flow::random()?;
    let sealed = flow::seal(api.service.notes(), &binding, step, Timestamp::now())?;
    let scopes: Vec<String> = offer.permission.scopes.iter().map(ToString::to_string).collect();
    entry.note(|record| record.detail = Some(format!("asked for {}", scopes.join(" "))));
    let page = pages::Consent {
        client,
        person: person.name(),
        asking,
        offer: &offer,
        clusters: reached(api, &person, &offer),
        flow,
        sealed: &sealed,
    };
    let cookie = browser::cookie(&browser::cookie_name(flow), &binding, SameSite::Strict)?;
    Ok(Answer::page(page.to_string(), form_targets(asking)).with_cookie(cookie))
}

/// Where the browser may go from the page's form. A client's own address may send it on.
fn form_targets(asking: &Asking) -> Option<&str> {
    match &asking.way {
        AskingWay::Code { redirect_uri, .. } => Some(redirect_uri),
        AskingWay::Device { .. } => None,
    }
}

/// The names of the clusters on which the token will count.
fn reached<'s>(api: &Api<'s>, person: &Person, offer: &Offer) -> Vec<&'s str> {
    let named = &offer.permission.clusters;
    let counts = |cluster: &&Cluster| {
        let rights = person.principal().rights(cluster.index());
        let asked = named.is_empty() || named.iter().any(|name| **name == *cluster.name());
        asked
            && cluster.takes_managed_tokens()
            && rights.is_some_and(|rights| !rights.restrict(&offer.permission.scopes).is_empty())
    };
    api.snapshot.clusters().iter().map(|cluster| &**cluster).filter(counts).map(Cluster::name).collect()
}

fn client<'s>(api: &Api<'s>, asking: &Asking) -> Result<&'s Client, Fault> {
    let client = api.clients()?.named(&asking.client_id);
    client.ok_or_else(|| Fault::new(ErrorCode::UnauthorizedClient, "the client is not known any more"))
}

/// What is allowed without asking. Never for a program on the person's machine or a device: any other could pretend to be it
/// (RFC 8252 section 8.6, RFC 8628 section 5.4).
fn remembered(api: &Api<'_>, person: &Person, asking: &Asking, offer: &Offer) -> Option<Permission> {
    let AskingWay::Code { redirect_uri, again: false, .. } = &asking.way else { return None };
    if is_loopback_redirect(redirect_uri) || !offer.withheld.is_empty() {
        return None;
    }
    let longest = offer.permission.lifetime;
    let wanted =
        Permission { lifetime: asking.lifetime.map_or(1, |_| offer.proposed), ..offer.permission.clone() };
    let consent = api.service.tokens().remembered(&party(person.principal().identity()), &wanted)?;
    let lifetime = asking.lifetime.map_or(consent.permission.lifetime.min(longest), |_| offer.proposed);
    Some(Permission { lifetime, ..wanted })
}

/// `POST /oauth/consent`: the page's form.
pub(crate) async fn decided(
    api: &Api<'_>,
    headers: &HeaderMap,
    form: &Form,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    browser::of_own_page(headers)?;
    let flow = form.required("flow")?;
    if !flow::is_random(flow) {
        return Err(flow::lost());
    }
    let name = browser::cookie_name(flow);
    let binding = browser::read_cookie(headers, &name).ok_or_else(flow::lost)?;
    let sealed = form.required("request")?;
    let AtConsent { asking, issuer, claims } =
        flow::open(api.service.notes(), binding, sealed, Timestamp::now())?;
    let outcome = decide(api, &asking, (&issuer, claims), form, entry).await;
    match outcome {
        Ok(answer) => Ok(answer.with_cookie(browser::no_cookie(&name))),
        Err(fault) => Err(to_asker(api, &asking, fault).with_cookie(browser::no_cookie(&name))),
    }
}

async fn decide(
    api: &Api<'_>,
    asking: &Asking,
    (issuer, claims): (&str, serde_json::Map<String, serde_json::Value>),
    form: &Form,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let client = client(api, asking)?;
    let person = Person::recalled(api, issuer, claims)?;
    entry.caller(person.principal().identity());
    entry.note(|record| record.client_id = Some(asking.client_id.clone()));
    match form.required("decision")? {
        "allow" => {
            let offer = offer(api, &person, client, asking)?;
            let chosen = form.get("lifetime").map(str::parse::<u64>);
            let chosen = chosen.transpose().ok().flatten().filter(|seconds| *seconds > 0);
            let lifetime = chosen.unwrap_or(offer.proposed).min(offer.permission.lifetime);
            allow(api, asking, &person, Permission { lifetime, ..offer.permission }, entry).await
        }
        "deny" => deny(api, asking, &person).await,
        _ => Err(Fault::new(ErrorCode::InvalidRequest, "decision must be allow or deny")),
    }
}

async fn allow(
    api: &Api<'_>,
    asking: &Asking,
    person: &Person,
    permission: Permission,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let (tokens, now) = (api.service.tokens(), Timestamp::now());
    let identity = person.principal().identity();
    let consent = tokens.give_consent(party(identity), permission.clone(), now).await;
    let consent = consent.map_err(|error| of_tokens(&error))?;
    let scopes: Vec<String> = permission.scopes.iter().map(ToString::to_string).collect();
    entry.note(|record| {
        record.targets = vec![consent.id.to_string()];
        let before = record.detail.take().map(|detail| format!("{detail}: ")).unwrap_or_default();
        let told = format!("{before}{} for {} s", scopes.join(" "), permission.lifetime);
        record.detail = Some(told);
    });
    let claims = Claims::new(&kept_claims(identity))
        .map_err(|error| Fault::new(ErrorCode::AccessDenied, error.to_string()))?;
    let allowed =
        Box::new(Allowed { issuer: (*identity.issuer).into(), claims, permission, consent: consent.id });
    match &asking.way {
        AskingWay::Code { redirect_uri, state, challenge, .. } => {
            let code = GrantCode::generate().map_err(|error| Fault::internal(error.to_string()))?;
            let way = Way::Code {
                redirect_uri: redirect_uri.as_str().into(),
                challenge: challenge.as_str().into(),
            };
            let state_of = AuthorizationState::Allowed(allowed);
            let time = (now, Duration::from_secs(CODE_LIFETIME));
            let begun = tokens
                .begin_authorization(&code, asking.client_id.as_str().into(), way, state_of, time)
                .await;
            begun.map_err(|error| of_tokens(&error))?;
            let back = Back { redirect_uri, state: state.as_deref() };
            Answer::redirect(&back.with(api, &[("code", code.expose())]))
        }
        AskingWay::Device { id, .. } => {
            let decided = tokens.decide_authorization(id, Verdict::Allow(allowed), now).await;
            decided.map_err(|error| of_tokens(&error))?;
            Ok(Answer::page(pages::Done { allowed: true }.to_string(), None))
        }
    }
}

async fn deny(api: &Api<'_>, asking: &Asking, person: &Person) -> Result<Answer, Fault> {
    match &asking.way {
        AskingWay::Code { .. } => Err(Fault::new(ErrorCode::AccessDenied, "the person said no")),
        AskingWay::Device { id, .. } => {
            let verdict = Verdict::Deny(party(person.principal().identity()));
            let decided = api.service.tokens().decide_authorization(id, verdict, Timestamp::now()).await;
            decided.map_err(|error| of_tokens(&error))?;
            Ok(Answer::page(pages::Done { allowed: false }.to_string(), None))
        }
    }
}

/// The code that a person compares with what the device shows.
pub(crate) fn shown_code(asking: &Asking) -> Option<String> {
    match &asking.way {
        AskingWay::Device { user_code, .. } => {
            user_code.parse::<UserCode>().ok().map(|code| code.to_string())
        }
        AskingWay::Code { .. } => None,
    }
}
