//! Fuzzes `efflux_fuzz::offsets`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| efflux_fuzz::offsets::run(input));
