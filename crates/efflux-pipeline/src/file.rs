//! Files of settings, in TOML 1.1.

mod expand;
mod faults;
mod places;

pub use self::expand::Surroundings;
pub(crate) use self::faults::FAULTS_MAX;
pub use self::faults::{Fault, read, read_in};
pub use self::places::{Key, fault_at};
