//! Runs `policies` over whatever the fuzzer finds.

#![no_main]

#[path = "../src/policies.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::policies(bytes));
