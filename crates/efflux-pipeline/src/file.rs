//! Files of settings, in TOML 1.1.

mod bounded;
mod expand;
mod faults;
mod places;

#[cfg(feature = "declared")]
pub(crate) use self::bounded::read_bounded;
pub use self::expand::Surroundings;
#[cfg(feature = "declared")]
pub(crate) use self::faults::first_of;
pub use self::faults::{Fault, read, read_in};
pub use self::places::{Key, Places, fault_at};
