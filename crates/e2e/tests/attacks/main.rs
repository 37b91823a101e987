//! Every case of `attacks/*.txt`, byte by byte, through the whole proxy.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod case;
mod http2;
mod storm;
mod token;

use std::{collections::HashSet, path::Path, time::Duration};

use case::{Case, Expect};
use e2e::{Client, SeenRequest, StandInProvider, StandIns, raw};

/// Longer than any answer takes; a case that leaves its connection open fails with its name.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of a case.
#[derive(Debug)]
struct Observed {
    answers: Vec<u16>,
    reason: String,
    seen: Vec<SeenRequest>,
    token: Option<String>,
}

/// Scrolls of `logs-a` that the engine calls `RnI`: one of the caller whom the cases' tokens name, one of somebody else.
async fn scrolls(world: &StandIns) -> [(&'static str, String); 2] {
    world.engine.answer("/logs-a/_search", |_| {
        let mut response = http::Response::new(r#"{"_scroll_id":"RnI"}"#.into());
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(http::header::CONTENT_TYPE, json);
        response
    });
    let scroll = async |subject: &str| {
        let token = world.provider.build_token().claim("sub", subject).claim("scope", "read:logs-*");
        let client = world.anonymous().with_token(token.sign());
        let reply = client.get("/logs-a/_search?scroll=1m").await;
        reply.json()["_scroll_id"].as_str().unwrap().to_owned()
    };
    [("{scroll}", scroll("tester-subject").await), ("{foreign}", scroll("somebody").await)]
}

async fn corpus(world: &StandIns) -> Vec<Case> {
    let scrolls = scrolls(world).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("attacks");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    let cases: Vec<Case> =
        files.iter().flat_map(|file| case::parse(&std::fs::read_to_string(file).unwrap())).collect();
    let cases: Vec<Case> = cases.into_iter().map(|case| case.fill(&scrolls)).collect();
    let names: HashSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "each case has a name of its own");
    cases
}

async fn observe(world: &StandIns, foreign: &StandInProvider, case: &Case) -> Observed {
    let before = world.engine.seen().len();
    let records = world.proxy.audit().await.len();
    let token = token::token(case, &world.provider, foreign);
    let bytes = case.bytes(token.as_deref());
    let answers = tokio::time::timeout(PATIENCE, ask(world, case, &bytes)).await;
    let answers = answers.unwrap_or_else(|_| panic!("{}: the connection stays open", case.name));
    let record = world.proxy.audit().await.into_iter().nth(records);
    let reason = record.and_then(|record| record["reason"].as_str().map(ToOwned::to_owned));
    let seen = world.engine.seen().split_off(before);
    Observed { answers, reason: reason.unwrap_or_default(), seen, token }
}

/// Sends the bytes; the statuses of what is answered.
async fn ask(world: &StandIns, case: &Case, bytes: &[u8]) -> Vec<u16> {
    if case.http2 {
        return http2::ask(&Client::http2(world.proxy.address, &world.proxy.ca()), bytes).await;
    }
    let answer = raw(&world.anonymous(), bytes).await;
    let statuses = answer.match_indices("HTTP/1.1 ");
    statuses.map(|(at, mark)| answer[at + mark.len()..at + mark.len() + 3].parse().unwrap()).collect()
}

fn judge(expect: &Expect, observed: &Observed) -> Result<(), String> {
    let must = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    match expect {
        Expect::Refused { status, reason } => {
            must(observed.answers == [*status], "another status, or more than one answer")?;
            must(observed.reason == *reason, "another reason")?;
            must(observed.seen.is_empty(), "the engine saw it")
        }
        Expect::Broken => {
            must(observed.answers.iter().all(|status| *status >= 400), "it was answered well")?;
            must(observed.seen.iter().all(|seen| !seen.whole), "the engine saw a whole request")
        }
        Expect::Forwarded { request, absent, present, then } => {
            let expected: Vec<u16> = [200].iter().chain(then).copied().collect();
            must(observed.answers == expected, "it was refused, or answered in another way, or more often")?;
            let [seen] = &observed.seen[..] else { return Err("the engine saw none, or several".to_owned()) };
            must(format!("{} {}", seen.method, seen.target) == *request, "the engine saw another request")?;
            let values = |name: &str| seen.headers.get_all(name).iter().collect::<Vec<_>>();
            let [credential] = values("authorization")[..] else {
                return Err("not exactly one Authorization".to_owned());
            };
            let credential = credential.to_str().unwrap_or_default();
            let own = observed.token.as_deref().is_some_and(|token| credential.contains(token));
            must(!own, "the caller's token reached the engine")?;
            for name in absent {
                must(!seen.headers.contains_key(name), &format!("{name} reached the engine"))?;
            }
            for (name, value) in present {
                must(values(name)[..] == [value.as_str()], &format!("{name} is not just {value}"))?;
            }
            Ok(())
        }
    }
}

/// Expectations that must fail where `expect` holds: a case that cannot fail defends nothing.
fn wrong(expect: &Expect) -> Vec<Expect> {
    let then = if let Expect::Forwarded { then, .. } = expect { then.clone() } else { Vec::new() };
    let forwarded = |request: &str, absent: &[&str], present: &[(&str, &str)]| Expect::Forwarded {
        request: request.to_owned(),
        absent: absent.iter().map(|&name| name.to_owned()).collect(),
        present: present.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
        then: then.clone(),
    };
    match expect {
        Expect::Refused { status, reason } => vec![
            Expect::Refused { status: status + 1, reason: reason.clone() },
            Expect::Refused { status: *status, reason: format!("{reason}x") },
            forwarded("GET /", &[], &[]),
        ],
        Expect::Forwarded { request, .. } => vec![
            forwarded(&format!("{request}x"), &[], &[]),
            forwarded(request, &["authorization"], &[]),
            forwarded(request, &[], &[("x-forwarded-for", "forged")]),
            Expect::Refused { status: 403, reason: "insufficient_scope".to_owned() },
            Expect::Broken,
        ],
        Expect::Broken => vec![forwarded("POST /logs-a/_doc", &[], &[])],
    }
}

#[tokio::test]
async fn every_attack_comes_to_what_is_expected() {
    let world = StandIns::start_with_dashboards().await;
    let foreign = StandInProvider::start().await;
    let cases = corpus(&world).await;
    assert!(cases.len() >= 120, "{} cases", cases.len());
    let mut failed = Vec::new();
    for case in &cases {
        let observed = observe(&world, &foreign, case).await;
        if let Err(what) = judge(&case.expect, &observed) {
            let seen: Vec<String> =
                observed.seen.iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect();
            failed.push(format!(
                "{}: {what}: answers {:?}, reason {:?}, seen {seen:?}",
                case.name, observed.answers, observed.reason
            ));
            continue;
        }
        for wrong in wrong(&case.expect) {
            assert!(judge(&wrong, &observed).is_err(), "{}: {wrong:?} holds as well", case.name);
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

/// Scopes for everything that the corpus asks for.
const ALL: &str = "read:* read:.* read:*:* write:* write:.* manage:* manage:.* monitor:* monitor:cluster \
                   manage:cluster admin:* admin:cluster admin:plugin/security \
                   admin:plugin/asynchronous_search admin:plugin/flow_framework admin:plugin/ism admin:plugin/ml \
                   admin:plugin/replication admin:plugin/rollup admin:plugin/sm admin:plugin/transform \
                   read:dashboards write:dashboards manage:dashboards admin:dashboards";

#[tokio::test]
async fn what_is_refused_for_want_of_scope_passes_with_every_scope() {
    let world = StandIns::start_with_dashboards().await;
    let foreign = StandInProvider::start().await;
    let lacking = |case: &Case| matches!(&case.expect, Expect::Refused { reason, .. } if reason == "insufficient_scope");
    let mut refused = Vec::new();
    for mut case in corpus(&world).await.into_iter().filter(lacking) {
        case.scopes = Some(ALL.to_owned());
        let observed = observe(&world, &foreign, &case).await;
        if observed.answers != [200] || observed.seen.len() != 1 {
            refused.push(format!("{}: {:?} {}", case.name, observed.answers, observed.reason));
        }
    }
    assert!(refused.is_empty(), "refused for another reason than the scope:\n{}", refused.join("\n"));
}
