//! Fuzzes `efflux_fuzz::pipeline_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| efflux_fuzz::pipeline_file::run(input));
