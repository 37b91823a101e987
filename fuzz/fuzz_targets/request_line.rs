//! Runs `request_line` over whatever the fuzzer finds.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::request_line::run(bytes));
