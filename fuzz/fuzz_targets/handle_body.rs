//! Runs `handle_body` over whatever the fuzzer finds.

#![no_main]

#[path = "../src/handle_body.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::handle_body(bytes));
