//! Tests of the query language as a whole.

mod evaluation;
mod malformed;
mod round_trip;
mod sample;
mod valid;
