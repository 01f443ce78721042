//! Fuzzes `efflux_fuzz::wire`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| efflux_fuzz::wire::run(input));
