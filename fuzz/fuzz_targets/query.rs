//! Fuzzes `efflux_fuzz::query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| efflux_fuzz::query::run(input));
