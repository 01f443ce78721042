//! efflux-node
pub use efflux_flow::{self as flow};
