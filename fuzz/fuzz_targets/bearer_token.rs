//! Runs `token` over whatever the fuzzer finds.

#![no_main]

#[path = "../src/token.rs"]
mod token;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| token::token(bytes));
