//! A named, durable position in a topic, shared by any number of workers.

mod agenda;
mod bury;
mod core;
mod entry;
mod groups;
mod ledger;
pub mod limits;
mod options;
mod ranges;
mod receive;
mod replay;
mod start;
mod status;
mod summary;
mod ticket;

pub use options::{ConsumerOptions, Start};
pub use status::ConsumerStatus;
pub use ticket::{Delivery, Ticket};
