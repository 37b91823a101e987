//! Runs `policies` over whatever the fuzzer finds.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::policies::run(bytes));
