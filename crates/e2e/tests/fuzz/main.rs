//! The fuzz targets with a stable compiler: the corpora of the tests, changed at random. `cargo xtask fuzz` runs them for
//! as long as one likes; otherwise each gets a bounded number of inputs. What fails prints the seed and the input.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a fuzz target reports by panicking")]
#![expect(
    unreachable_pub,
    reason = "what the targets run is public, since these are crates of their own elsewhere"
)]

#[path = "../../../../fuzz/src/configuration.rs"]
mod configuration;
mod corpus;
#[path = "../../../../fuzz/src/dashboards.rs"]
mod dashboards_requests;
#[path = "../../../../fuzz/src/form.rs"]
mod form;
#[path = "../../../../fuzz/src/guard.rs"]
mod guard;
#[path = "../../../../fuzz/src/handle.rs"]
mod handle;
#[path = "../../../../fuzz/src/handle_body.rs"]
mod handle_body;
#[path = "../../../../fuzz/src/listing.rs"]
mod listing;
#[path = "../../../../fuzz/src/managed_token.rs"]
mod managed_token;
mod mutate;
#[path = "../../../../fuzz/src/policies.rs"]
mod policies;
#[path = "../../../../fuzz/src/lib.rs"]
mod requests;
#[path = "../../../../fuzz/src/scope.rs"]
mod scope;
#[path = "../../../../fuzz/src/token.rs"]
mod token;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use mutate::Mutator;
use requests::pieces;

/// Inputs for each target when nobody says for how long.
const INPUTS: u64 = 10_000;
const DEFAULT_SEED: u64 = 0x6f61_7574_6832;

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str) -> Option<u64> {
    setting(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

fn fuzz(name: &str, target: fn(&[u8]), corpus: &[Vec<u8>]) {
    fuzz_some(INPUTS, name, target, corpus);
}

fn fuzz_some(inputs: u64, name: &str, target: fn(&[u8]), corpus: &[Vec<u8>]) {
    if setting("FUZZ_TARGET").is_some_and(|only| only != name) {
        return;
    }
    assert!(!corpus.is_empty(), "{name} has a corpus");
    let seed = number("FUZZ_SEED").unwrap_or(DEFAULT_SEED);
    let until = number("FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut mutator = Mutator::new(seed);
    let mut tried = 0_u64;
    let whole = corpus.iter().cloned();
    let mut next = whole.chain(std::iter::repeat_with(|| mutator.change(corpus)));
    let more = |tried: u64| until.map_or(tried < inputs, |until| Instant::now() < until);
    while more(tried) {
        let input = next.next().unwrap();
        tried += 1;
        let kept = catch_unwind(AssertUnwindSafe(|| target(&input))).is_ok();
        assert!(kept, "{name}, seed {seed}, input {tried}: \"{}\"", input.escape_ascii());
    }
    println!("{name}: {tried} inputs of seed {seed}");
}

#[test]
fn request_line() {
    fuzz("request_line", requests::request_line, &corpus::request_lines());
}

#[test]
fn body() {
    fuzz("body", requests::body, &corpus::bodies());
}

#[test]
fn query_text() {
    fuzz("query_text", requests::query_text, &corpus::query_texts());
}

#[test]
fn dashboards_request() {
    fuzz("dashboards_request", dashboards_requests::dashboards, &corpus::dashboards_requests());
}

#[test]
fn wire_guard() {
    fuzz("wire_guard", guard::guard, &corpus::streams());
}

#[test]
fn bearer_token() {
    fuzz("bearer_token", token::token, &corpus::tokens());
}

#[test]
fn configuration() {
    fuzz("configuration", configuration::configuration, &corpus::seeds("configuration"));
}

#[test]
fn form() {
    fuzz("form", form::form, &corpus::seeds("form"));
}

#[test]
fn handle_body() {
    fuzz("handle_body", handle_body::handle_body, &corpus::seeds("handle_body"));
}

#[test]
fn listing() {
    fuzz("listing", listing::listing, &corpus::seeds("listing"));
}

#[test]
fn managed_token() {
    fuzz("managed_token", managed_token::managed_token, &corpus::seeds("managed_token"));
}

#[test]
fn policies() {
    // Cedar's validator takes a while for each.
    fuzz_some(INPUTS / 10, "policies", policies::policies, &corpus::seeds("policies"));
}

#[test]
fn scope() {
    fuzz("scope", scope::scope, &corpus::seeds("scope"));
}

#[test]
fn handle() {
    let genuine = handle::genuine().unwrap();
    fuzz("handle", handle::handle, &[genuine.into_bytes(), b"oph1.AAAA.c2Nyb2xs".to_vec()]);
}

#[test]
fn a_broken_promise_is_found_again_by_its_seed() {
    let corpus = [b"abc".to_vec()];
    let first_zero = |seed| {
        let mut mutator = Mutator::new(seed);
        (0..INPUTS).position(|_| mutator.change(&corpus).contains(&b'\0'))
    };
    assert!(first_zero(1).is_some());
    assert_eq!(first_zero(1), first_zero(1));
}
