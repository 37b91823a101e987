//! Thousands of requests, through the proxy with an all-powerful identity behind it and directly as a user with just the
//! roles of the scopes: what a role of the engine refuses, the proxy must not let through. Where both allow, the answer through
//! the proxy must not name an index that the direct one does not: the engine leaves out of some what the role does not see.
//!
//! The requests, scopes and excuses stand in the text files of this folder. The decisions in docs/differential.md are compared, or
//! written with `UPDATE_EXPECTED=1`; for another version of the engine than the page's only the requests are judged.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up fails with its reason")]

mod data;
mod exchange;
mod judge;
mod page;
mod random;
mod world;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use data::Asked;
use judge::{Direct, Pair, Proxied};
use world::World;

const PAGE: &str = "docs/differential.md";
/// Connections to each side.
const CONNECTIONS: usize = 12;
/// Names that stand for others: an alias, and a backing index.
const KNOWN: [&str; 2] = ["diff-outer", ".ds-diff-stream-000001"];
/// Answers that name an index, at the least.
const MUCH: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_role_refuses_is_not_let_through() {
    let scope_sets = data::scope_sets();
    let jobs: Jobs = (0..scope_sets.len())
        .flat_map(|set| {
            data::requests(set as u64, scope_sets[set]).into_iter().map(move |asked| (set, asked))
        })
        .collect();
    let (version, tried) = try_all(&scope_sets, jobs.clone(), false).await;
    let Judged { named, used, excused } = judge_all(&tried);
    assert!(named > MUCH, "only {named} answers name an index, so that they prove little");
    let unused: Vec<_> = data::excuses()
        .into_iter()
        .zip(used)
        .filter(|(excuse, used)| !used && !excuse.is_open)
        .map(|(excuse, _)| excuse)
        .collect();
    assert!(unused.is_empty(), "excused.txt has lines that nothing needs: {unused:#?}");
    let refused: BTreeSet<_> = tried
        .iter()
        .filter(|(_, _, pair)| pair.direct == Direct::Refused)
        .map(|(_, asked, _)| asked.template.clone())
        .collect();
    let blunt: Vec<_> = data::templates().difference(&refused).cloned().collect();
    assert!(
        blunt.is_empty(),
        "no role refused any request of these templates, so they prove nothing: {blunt:#?}"
    );
    compare(&page::page(&version, &tried, &excused), &version);

    // Where the proxy judges names by what they stand for it lets more through, and nothing that the role refuses either.
    let stands_for_more = |asked: &Asked| KNOWN.iter().any(|name| asked.line().contains(name));
    let jobs: Jobs = jobs.into_iter().filter(|(_, asked)| stands_for_more(asked)).collect();
    let (_, knowing) = try_all(&scope_sets, jobs, true).await;
    judge_all(&knowing);
    let by_name = tried.iter().filter(|(_, asked, pair)| stands_for_more(asked) && both_allow(pair)).count();
    let by_what_is_behind = knowing.iter().filter(|(_, _, pair)| both_allow(pair)).count();
    assert!(by_what_is_behind > by_name, "{by_what_is_behind} requests are allowed, and {by_name} without");
}

fn both_allow(pair: &Pair) -> bool {
    matches!(pair, Pair { proxied: Proxied::LetThrough(_), direct: Direct::Answered(_), .. })
}

/// Each request with the number of its set of scopes.
type Jobs = Vec<(usize, Asked)>;

/// Asks everything on both sides; with the version of the engine.
async fn try_all(scope_sets: &[&'static str], jobs: Jobs, knows_names: bool) -> (String, Vec<page::Tried>) {
    let world = Arc::new(World::start(scope_sets, knows_names).await);
    let jobs = Arc::new(jobs);
    let pairs = ask_all(&world, &jobs).await;
    world.tidy().await;
    let tried =
        jobs.iter().zip(pairs).map(|((set, asked), pair)| (scope_sets[*set], asked.clone(), pair)).collect();
    (world.engine.version.clone(), tried)
}

/// What is left to look at once nothing was let through that should not be.
struct Judged {
    /// Answers that name an index.
    named: usize,
    /// Which of the excuses were needed.
    used: Vec<bool>,
    excused: page::Excused,
}

fn judge_all(tried: &[page::Tried]) -> Judged {
    let excuses = data::excuses();
    let mut used = vec![false; excuses.len()];
    let mut named = 0;
    let (mut defects, mut talkative, mut excused) = (Vec::new(), Vec::new(), page::Excused::default());
    for (scopes, asked, pair) in tried {
        named += usize::from(pair.told.all > 0);
        if !pair.told.more.is_empty() {
            talkative.push(format!(
                "{scopes}: {} (only through the proxy: {})",
                asked.line(),
                pair.told.more.join(", ")
            ));
        }
        let Pair { proxied: Proxied::LetThrough(status), direct: Direct::Refused, .. } = pair else {
            continue;
        };
        match excuses.iter().position(|excuse| excuse.covers(scopes, &asked.template, *status)) {
            Some(index) => {
                used[index] = true;
                excused.count(excuses[index].is_open);
            }
            None if asked.is_misread_by_the_engine() || asked.is_a_list_for_one_name(*status) => {
                excused.count(false);
            }
            None => defects.push(format!("{scopes}: {} (through the proxy: {status})", asked.line())),
        }
    }
    assert!(
        defects.is_empty(),
        "{} requests were let through that the role refuses:\n{}",
        defects.len(),
        defects.join("\n")
    );
    assert!(
        talkative.is_empty(),
        "{} answers name indices that the role does not see:\n{}",
        talkative.len(),
        talkative.join("\n")
    );
    Judged { named, used, excused }
}

/// The answers, in the order of the requests.
async fn ask_all(world: &Arc<World>, jobs: &Arc<Vec<(usize, Asked)>>) -> Vec<Pair> {
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (world, jobs, next) = (Arc::clone(world), Arc::clone(jobs), Arc::clone(&next));
            tokio::spawn(async move {
                let (mut to_proxy, mut to_engine) = world.lines();
                let mut answers = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((set, asked)) = jobs.get(number) else { return answers };
                    let caller = &world.callers[*set];
                    let direct = to_engine.ask(asked, &caller.basic).await;
                    let proxied = to_proxy.ask(asked, &caller.token).await;
                    answers.push((number, Pair::of(&proxied, &direct, &world.names)));
                }
            })
        })
        .collect();
    let mut answers = Vec::new();
    for worker in workers {
        answers.extend(worker.await.unwrap());
    }
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, pair)| pair).collect()
}

/// The page is about one version of the engine. Held to are the decisions; which of several missing scopes a refusal names, and
/// so the row of causes in which it stands, is free.
fn compare(page: &str, version: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(PAGE);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    if !written.contains(&format!("OpenSearch {version} ")) && !written.is_empty() {
        return;
    }
    let decisions = |text: &str| text.split(page::CAUSES).next().unwrap_or_default().to_owned();
    let (expected, found) = (decisions(&written), decisions(page));
    let changed: Vec<_> =
        found.lines().filter(|line| !expected.lines().any(|known| known == *line)).collect();
    assert!(expected == found, "{PAGE} differs; UPDATE_EXPECTED=1 writes it anew:\n{}", changed.join("\n"));
}
