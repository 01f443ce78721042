//! Files of settings, in TOML 1.1.

mod faults;

pub use self::faults::{Fault, read};
