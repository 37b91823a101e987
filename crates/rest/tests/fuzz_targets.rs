//! The functions of the fuzz targets over the corpora and over random bytes, without a fuzzer.

#![expect(clippy::panic, reason = "a fuzz target reports by panicking")]
#![expect(unreachable_pub, reason = "public for the programs of the fuzzer, which are crates of their own")]

#[path = "../../../fuzz/src/body.rs"]
mod body;
#[path = "../../../fuzz/src/pieces.rs"]
mod pieces;
#[path = "../../../fuzz/src/query_text.rs"]
mod query_text;
#[path = "../../../fuzz/src/request_line.rs"]
mod request_line;

use proptest::prelude::*;

const BODIES: [&str; 7] = [
    include_str!("bodies/bulk.txt"),
    include_str!("bodies/json.txt"),
    include_str!("bodies/named.txt"),
    include_str!("bodies/plugins.txt"),
    include_str!("bodies/query.txt"),
    include_str!("bodies/searches.txt"),
    include_str!("bodies/text.txt"),
];

#[test]
fn the_corpora_break_no_promise() {
    for line in include_str!("attacks.tsv").lines().filter(|line| !line.starts_with('#')) {
        let request: Vec<&str> = line.split('\t').take(2).collect();
        request_line::run(request.join(" ").as_bytes());
    }
    for block in BODIES.iter().flat_map(|text| text.split("\n=== ")) {
        let Some((_, body)) = block.split_once("application/json\n") else { continue };
        let body = body.split("\n->").next().unwrap_or_default();
        for operation in 0..19 {
            body::run(&[&[operation, 7], body.as_bytes()].concat());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_break_no_promise(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        request_line::run(&bytes);
        body::run(&bytes);
        query_text::run(&bytes);
    }

    #[test]
    fn random_words_break_no_promise(
        language in 0..2_u8,
        words in prop::collection::vec(prop::sample::select(&[
            "select", "from", "a", "secret", "join", "(", ")", ",", "where", "in", "'", "`", "*", "union", "source", "=",
            "|", "[", "]", "lookup", "as", "b", "/*", "*/", "--", ";", "\\", "default.x", "search", "on", "x.y", "extract",
        ][..]), 0..14),
    ) {
        query_text::run(&[&[language], words.join(" ").as_bytes()].concat());
        query_text::run(&[&[language], words.concat().as_bytes()].concat());
    }
}
