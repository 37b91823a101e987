//! The fuzz targets with a stable compiler and without a fuzzer: what `cargo xtask fuzz` kept, and a bounded number of inputs
//! made from that by chance, always the same ones.

#![expect(clippy::unwrap_used, reason = "a fuzz target reports by panicking")]

mod inputs;
mod mutate;
#[path = "../../../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "public for the programs of the fuzzer, which are crates of their own")]
mod targets;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mutate::Mutator;

const SEED: u64 = 0x6f61_7574_6832;
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn fuzz(name: &str, target: fn(&[u8]), changed: usize) {
    let kept = inputs::kept(name);
    let mut mutator = Mutator::new(SEED);
    let more = std::iter::repeat_with(|| mutator.change(&kept)).take(changed);
    for input in kept.iter().cloned().chain(more) {
        let survived = catch_unwind(AssertUnwindSafe(|| target(&input))).is_ok();
        assert!(survived, "{name}: \"{}\"", input.escape_ascii());
    }
}

macro_rules! targets {
    ($(fn $name:ident() = $changed:literal;)*) => {
        const TARGETS: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            fuzz(stringify!($name), targets::$name::run, $changed);
        })*
    };
}

// How many changed inputs each of them is worth: a few seconds for all together.
targets! {
    fn bearer_token() = 10_000;
    fn body() = 10_000;
    fn claim_path() = 10_000;
    fn configuration() = 10_000;
    fn dashboards_request() = 10_000;
    fn discovery() = 10_000;
    fn form() = 10_000;
    fn handle() = 10_000;
    fn handle_body() = 10_000;
    fn headers() = 10_000;
    fn inflate() = 1_000;
    fn introspection() = 10_000;
    fn keys() = 2_000;
    fn listing() = 10_000;
    fn managed_token() = 10_000;
    fn policies() = 1_000;
    fn query_text() = 10_000;
    fn redirect() = 10_000;
    fn request_line() = 10_000;
    fn scope() = 10_000;
    fn sealed_note() = 10_000;
    fn store_answer() = 2_000;
    fn stored() = 2_000;
    fn token_answer() = 10_000;
    fn token_list() = 10_000;
    fn wire_guard() = 10_000;
}

#[test]
fn each_target_is_built_for_the_fuzzer_and_described() {
    let read = |path: &str| std::fs::read_to_string(format!("{REPOSITORY}/fuzz/{path}")).unwrap();
    let manifest = read("Cargo.toml");
    let programs = manifest.split("[[bin]]\n").skip(1);
    let programs: BTreeSet<&str> = programs.map(|part| part.split('"').nth(1).unwrap()).collect();
    assert_eq!(programs, TARGETS.iter().copied().collect());
    let described = read("README.md");
    let (_, tables) = described.split_once("## What reads bytes from outside").unwrap();
    let rows = tables.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let rows: BTreeSet<&str> = rows.map(|(name, _)| name).collect();
    assert_eq!(rows, programs, "the tables of fuzz/README.md");
    for name in programs {
        let program = read(&format!("fuzz_targets/{name}.rs"));
        assert!(program.contains(&format!("fuzz::{name}::run(bytes)")), "{name} runs another target");
    }
}

#[test]
fn the_same_seed_makes_the_same_inputs() {
    let inputs = || {
        let (corpus, mut mutator) = ([b"abc".to_vec()], Mutator::new(1));
        std::iter::repeat_with(move || mutator.change(&corpus)).take(100)
    };
    assert!(inputs().eq(inputs()));
    assert!(inputs().any(|input| input != b"abc"));
}
