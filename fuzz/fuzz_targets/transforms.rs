//! Fuzzes `efflux_fuzz::transforms`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| efflux_fuzz::transforms::run(input));
