//! Fuzzes `efflux_fuzz::content`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| efflux_fuzz::content::run(input));
