//! Runs `guard` over whatever the fuzzer finds.

#![no_main]

#[path = "../src/guard.rs"]
mod guard;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| guard::guard(bytes));
