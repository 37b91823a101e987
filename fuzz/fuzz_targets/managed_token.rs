//! Runs `managed_token` over whatever the fuzzer finds.

#![no_main]

#[path = "../src/managed_token.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::managed_token(bytes));
