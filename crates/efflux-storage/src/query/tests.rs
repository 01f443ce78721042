//! Tests of the query language as a whole.

mod evaluation;
mod round_trip;
mod sample;
mod valid;
