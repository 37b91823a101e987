//! Consents, and authorizations from their beginning to the token.

use std::sync::Arc;

use jiff::Timestamp;
use tempfile::TempDir;
use tokens::{
    Allowed, AuthorizationState, Consent, GrantCode, Grounds, Issued, NotAuthorized, OpenSearchSettings,
    OpenSearchStore, Permission, RefusalReason, Settings, Status, StoreKey, StoreKeys, Through, Tokens,
    TokensError, UserCode, Verdict, Way,
};

use crate::engine::Engine;
use crate::world::{at, by, free, grounds, open, party, scopes, seconds, terms};

const AGENT: &str = "agent";

fn permission(asked: &str, lifetime: u64) -> Permission {
    Permission { client_id: AGENT.into(), scopes: scopes(asked), clusters: vec![], lifetime }
}

async fn consent(tokens: &Tokens, now: Timestamp) -> Consent {
    tokens.give_consent(party("alice"), permission("read:logs-*", 3600), now).await.unwrap()
}

fn allowed(consent: &Consent) -> Allowed {
    Allowed {
        issuer: consent.person.issuer.clone(),
        claims: grounds("alice").claims,
        permission: consent.permission.clone(),
        consent: consent.id.clone(),
    }
}

fn through(consent: &Consent) -> Grounds {
    let through = Through { client_id: AGENT.into(), consent: consent.id.clone() };
    Grounds { through: Some(through), ..grounds("alice") }
}

/// A code that alice agreed to.
async fn code(tokens: &Tokens, consent: &Consent, now: Timestamp) -> GrantCode {
    let code = GrantCode::generate().unwrap();
    let way = Way::Code { redirect_uri: "https://agent.example/cb".into(), challenge: "c".into() };
    let state = AuthorizationState::Allowed(Box::new(allowed(consent)));
    tokens.begin_authorization(&code, AGENT.into(), way, state, (now, seconds(60))).await.unwrap();
    code
}

async fn redeem(
    tokens: &Tokens,
    code: &GrantCode,
    consent: &Consent,
    now: Timestamp,
) -> Result<Issued, TokensError> {
    let authorization = tokens.authorization(code).await?;
    tokens.redeem(&authorization.id, terms(&free(), "read:logs-*"), through(consent), now).await
}

#[track_caller]
fn refused(outcome: Result<Issued, TokensError>) -> NotAuthorized {
    match outcome {
        Err(TokensError::NotAuthorized(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_code_is_good_once_and_not_for_long() {
    let folder = TempDir::new().unwrap();
    let tokens = open(folder.path()).await;
    let consent = consent(&tokens, at(0)).await;
    let unknown = tokens.authorization(&GrantCode::generate().unwrap()).await.unwrap_err();
    assert!(matches!(unknown, TokensError::NotAuthorized(NotAuthorized::Unknown)));

    let late = code(&tokens, &consent, at(0)).await;
    assert_eq!(refused(redeem(&tokens, &late, &consent, at(60)).await), NotAuthorized::Expired);
    let good = code(&tokens, &consent, at(0)).await;
    let issued = redeem(&tokens, &good, &consent, at(59)).await.unwrap();
    assert_eq!(issued.token.owner.client_id.as_deref(), Some(AGENT));
    assert_eq!(issued.token.owner.subject, consent.person.subject);
    let id = issued.token.id.clone();
    let again = refused(redeem(&tokens, &good, &consent, at(59)).await);
    assert_eq!(again, NotAuthorized::Redeemed(id.clone()));

    // It is known that it was used after a restart too, and for a while; then it is forgotten.
    drop(tokens);
    let tokens = open(folder.path()).await;
    assert_eq!(refused(redeem(&tokens, &good, &consent, at(70)).await), NotAuthorized::Redeemed(id));
    assert_eq!(tokens.maintain(at(3000)).await.unwrap().kept, 0);
    assert_eq!(tokens.maintain(at(3660)).await.unwrap().kept, 2);
    assert_eq!(refused(redeem(&tokens, &good, &consent, at(70)).await), NotAuthorized::Unknown);
    assert_eq!(tokens.consents(), [consent]);
}

#[tokio::test]
async fn a_code_is_good_at_every_proxy_and_once_in_all() {
    let engine = Engine::default();
    let proxy = async || {
        let settings = OpenSearchSettings {
            index: OpenSearchStore::DEFAULT_INDEX.into(),
            keys: StoreKeys::new(StoreKey::derive(&[1; 32]).unwrap(), vec![]),
            max_stale: seconds(10),
        };
        let store = OpenSearchStore::open(Box::new(engine.clone()), settings).await.unwrap();
        Tokens::open(Arc::new(store), Settings::default()).await.unwrap()
    };
    let (one, two) = (proxy().await, proxy().await);
    let now = Timestamp::now();
    let consent = consent(&one, now).await;
    let code = code(&one, &consent, now).await;
    assert!(!engine.text().contains(code.expose()) && !engine.text().contains("alice"));
    // Neither has looked since the other began.
    let issued = redeem(&two, &code, &consent, now).await.unwrap();
    let second = refused(redeem(&one, &code, &consent, now).await);
    assert_eq!(second, NotAuthorized::Redeemed(issued.token.id.clone()));
    assert_eq!(engine.count(), 3, "consent, authorization and one token");
    // What was withdrawn at one is refused at the other as soon as that has looked, whoever knows of the token.
    one.withdraw_consent(&consent.id, by("alice", now)).await.unwrap();
    two.follow().await.unwrap();
    assert_eq!(two.admit(&issued.secret, now).unwrap_err().reason, RefusalReason::Revoked);
}

#[tokio::test]
async fn a_device_waits_for_a_person() {
    let folder = TempDir::new().unwrap();
    let tokens = open(folder.path()).await;
    let consent = consent(&tokens, at(0)).await;
    let begin = async |user_code: &UserCode| {
        let code = GrantCode::generate().unwrap();
        let way =
            Way::Device { user_code: user_code.clone(), scopes: None, clusters: vec![], lifetime: None };
        let state = AuthorizationState::Waiting;
        let begun = tokens.begin_authorization(&code, AGENT.into(), way, state, (at(0), seconds(600))).await;
        begun.map(|()| code)
    };
    let user_code = UserCode::generate().unwrap();
    let code = begin(&user_code).await.unwrap();
    assert_eq!(refused(redeem(&tokens, &code, &consent, at(1)).await), NotAuthorized::Waiting);
    assert!(tokens.waiting_for(&user_code, at(600)).is_none());
    assert!(tokens.waiting_for(&UserCode::generate().unwrap(), at(1)).is_none());
    let waiting = tokens.waiting_for(&user_code, at(1)).unwrap();
    let yes = Verdict::Allow(Box::new(allowed(&consent)));
    tokens.decide_authorization(&waiting.id, yes.clone(), at(2)).await.unwrap();
    assert!(tokens.waiting_for(&user_code, at(2)).is_none(), "it is decided once");
    let no = Verdict::Deny(party("mallory"));
    assert!(tokens.decide_authorization(&waiting.id, no.clone(), at(2)).await.is_err());
    redeem(&tokens, &code, &consent, at(3)).await.unwrap();

    let user_code = UserCode::generate().unwrap();
    let code = begin(&user_code).await.unwrap();
    let waiting = tokens.waiting_for(&user_code, at(1)).unwrap();
    tokens.decide_authorization(&waiting.id, no, at(2)).await.unwrap();
    assert!(tokens.decide_authorization(&waiting.id, yes, at(2)).await.is_err());
    assert_eq!(refused(redeem(&tokens, &code, &consent, at(3)).await), NotAuthorized::Denied);

    // Strangers cannot fill the store, nor raise the odds of guessing.
    for _ in 0..1000 {
        begin(&UserCode::generate().unwrap()).await.unwrap();
    }
    assert!(matches!(begin(&user_code).await, Err(TokensError::TooManyAuthorizations)));
}

#[tokio::test]
async fn a_consent_covers_the_same_and_less_until_it_is_withdrawn() {
    let folder = TempDir::new().unwrap();
    let tokens = open(folder.path()).await;
    let alice = party("alice");
    let given = tokens.give_consent(alice.clone(), permission("read:logs-*", 3600), at(0)).await.unwrap();
    let wanted = |asked: &str, lifetime| permission(asked, lifetime);
    let on = |clusters: &[&str]| {
        let clusters = clusters.iter().map(|name| (*name).into()).collect();
        Permission { clusters, ..wanted("read:logs-*", 60) }
    };
    for (permission, covered) in [
        (wanted("read:logs-*", 3600), true),
        (wanted("read:logs-app-*", 60), true),
        (on(&["one"]), true),
        (wanted("read:logs-*", 3601), false),
        (wanted("read:logs-* read:metrics-*", 60), false),
        (wanted("write:logs-*", 60), false),
        (Permission { client_id: "other".into(), ..wanted("read:logs-*", 60) }, false),
    ] {
        assert_eq!(tokens.remembered(&alice, &permission).is_some(), covered, "{permission:?}");
        assert!(tokens.remembered(&party("bob"), &permission).is_none());
    }
    assert_eq!(tokens.give_consent(alice.clone(), wanted("read:logs-*", 60), at(1)).await.unwrap(), given);
    let named = tokens.give_consent(party("bob"), on(&["one"]), at(1)).await.unwrap();
    assert!(!named.permission.includes(&on(&[])) && !named.permission.includes(&on(&["one", "two"])));

    let (first, second) = (code(&tokens, &given, at(2)).await, code(&tokens, &given, at(2)).await);
    let issued = redeem(&tokens, &first, &given, at(3)).await.unwrap();
    let done = tokens.withdraw_consent(&given.id, by("alice", at(4))).await.unwrap();
    assert_eq!(done.revoked.iter().map(|token| &token.id).collect::<Vec<_>>(), [&issued.token.id]);
    assert_eq!(tokens.get(&issued.token.id).unwrap().status(at(4)), Status::Revoked);
    assert_eq!(tokens.admit(&issued.secret, at(4)).unwrap_err().reason, RefusalReason::Revoked);
    assert_eq!(refused(redeem(&tokens, &second, &given, at(5)).await), NotAuthorized::Denied);
    assert!(tokens.remembered(&alice, &wanted("read:logs-*", 60)).is_none());
    let again = tokens.withdraw_consent(&given.id, by("bob", at(6))).await.unwrap();
    assert_eq!((again.consent, again.revoked.len()), (done.consent, 0));
    // A consent that was withdrawn does not come back: a new one has another name.
    let anew = tokens.give_consent(alice, wanted("read:logs-*", 60), at(7)).await.unwrap();
    assert_ne!(anew.id, given.id);
}

#[test]
fn codes_are_typed_as_people_do() {
    let code = UserCode::generate().unwrap();
    let shown = code.to_string();
    assert_eq!(shown.len(), 9);
    for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', " "), shown.replace('-', "")] {
        assert_eq!(typed.parse::<UserCode>().unwrap(), code, "{typed}");
    }
    for wrong in ["", "BCDF", "BCDF-GHJA", "BCDF-GHJK-L", "BCDF_GHJK", "ÄCDF-GHJK"] {
        assert!(wrong.parse::<UserCode>().is_err(), "{wrong}");
    }
    let secret = GrantCode::generate().unwrap();
    assert_eq!((secret.expose().len(), format!("{secret:?}").as_str()), (43, "GrantCode(…)"));
    assert_eq!(GrantCode::presented(secret.expose()).digest(), secret.digest());
}
