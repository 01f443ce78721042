//! Fuzzes `efflux_fuzz::segment`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| efflux_fuzz::segment::run(input));
