//! Fuzzes `efflux_fuzz::backwards`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| efflux_fuzz::backwards::run(input));
