//! Runs `scope` over whatever the fuzzer finds.

#![no_main]

#[path = "../src/scope.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::scope(bytes));
