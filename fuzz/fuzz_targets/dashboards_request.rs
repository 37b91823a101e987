//! Runs `dashboards` over whatever the fuzzer finds.

#![no_main]

#[path = "../src/pieces.rs"]
mod pieces;
#[path = "../src/dashboards.rs"]
mod requests;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| requests::dashboards(bytes));
