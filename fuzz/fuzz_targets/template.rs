//! Fuzzes `efflux_fuzz::template`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| efflux_fuzz::template::run(input));
