//! An embedded, hash-chained, searchable event log: topics, consumers and an index.

pub mod limits;

mod clock;
mod error;
mod options;
pub mod query;

mod expect;
mod verify;

mod log;
mod sequencer;

mod disk;
mod ids;
mod workers;

mod consumer;
mod find;
mod index;
mod journal;
mod table;

mod local;
mod memory;

mod store;
mod topic;
mod typed;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use clock::{Clock, ManualClock, SystemClock};
pub use consumer::{
    Consumer, ConsumerOptions, ConsumerStatus, Delivery, Start, Ticket, limits as consumer_limits,
};
pub use disk::{Disk, DiskFile, LockGuard, RealDisk};
pub use efflux_particle::{self as particle};
pub use error::{Damage, Error, ErrorKind, Result};
pub use expect::{Expect, Receipt};
pub use find::{FindOptions, Finder};
pub use log::{Appended, Backend, Batch, Journal, LookedUp, ReadLimit, TopicLog};
pub use options::{Access, StoreOptions, Sync, TopicOptions};
pub use query::{Query, QueryError};
pub use store::Store;
pub use topic::{Follower, Topic};
pub use typed::{Data, Encoding, TypedBatches, TypedTopic};
pub use verify::{Progress, Verified};
