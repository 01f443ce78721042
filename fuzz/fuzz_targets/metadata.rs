//! Fuzzes `efflux_fuzz::metadata`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| efflux_fuzz::metadata::run(input));
