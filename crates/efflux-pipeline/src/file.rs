//! Files of settings, in TOML 1.1.

mod bounded;
mod expand;
mod fault;
mod filled;
mod places;
mod reading;
mod shape;

#[cfg(feature = "declared")]
pub(crate) use self::bounded::read_bounded;
pub use self::expand::Surroundings;
pub use self::fault::Fault;
pub use self::filled::Room;
pub use self::places::{Places, fault_at};
pub use self::reading::{Reading, read, read_in};
pub use crate::setting_fault::Key;
