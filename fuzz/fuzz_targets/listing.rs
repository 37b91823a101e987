//! Runs `listing` over whatever the fuzzer finds.

#![no_main]

#[path = "../src/listing.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::listing(bytes));
