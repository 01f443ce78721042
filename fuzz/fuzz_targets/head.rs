//! Fuzzes `efflux_fuzz::head`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| efflux_fuzz::head::run(input));
