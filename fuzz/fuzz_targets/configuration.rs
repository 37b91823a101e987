//! Runs `configuration` over whatever the fuzzer finds.

#![no_main]

#[path = "../src/configuration.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::configuration(bytes));
