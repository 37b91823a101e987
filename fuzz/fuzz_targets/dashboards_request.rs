//! Runs `dashboards_request` over whatever the fuzzer finds.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::dashboards_request::run(bytes));
