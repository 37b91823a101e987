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
/// Answers that name an index, at the least.
const MUCH: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_role_refuses_is_not_let_through() {
    let scope_sets = data::scope_sets();
    let world = Arc::new(World::start(&scope_sets).await);
    let jobs: Arc<Vec<(usize, Asked)>> = Arc::new(
        (0..scope_sets.len())
            .flat_map(|set| {
                data::requests(set as u64, scope_sets[set]).into_iter().map(move |asked| (set, asked))
            })
            .collect(),
    );
    let pairs = ask_all(&world, &jobs).await;
    world.tidy().await;

    let tried: Vec<page::Tried> =
        jobs.iter().zip(pairs).map(|((set, asked), pair)| (scope_sets[*set], asked.clone(), pair)).collect();
    let excuses = data::excuses();
    let mut used = vec![false; excuses.len()];
    let mut named = 0;
    let (mut defects, mut talkative, mut excused) = (Vec::new(), Vec::new(), page::Excused::default());
    for (scopes, asked, pair) in &tried {
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
    assert!(named > MUCH, "only {named} answers name an index, so that they prove little");
    let unused: Vec<_> = excuses
        .iter()
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
    compare(&page::page(&world.engine.version, &tried, &excused), &world.engine.version);
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
