//! Runs `handle` over whatever the fuzzer finds.

#![no_main]

#[path = "../src/handle.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::handle(bytes));
