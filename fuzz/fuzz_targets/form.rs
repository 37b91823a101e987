//! Runs `form` over whatever the fuzzer finds.

#![no_main]

#[path = "../src/form.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::form(bytes));
