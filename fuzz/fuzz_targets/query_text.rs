//! Runs `query_text` over whatever the fuzzer finds.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::query_text::run(bytes));
