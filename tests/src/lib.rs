//! Shared set-up of the tests that span crates.
