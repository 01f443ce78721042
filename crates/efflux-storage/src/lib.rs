//! An embedded, hash-chained, searchable event log: topics, consumers and an index.
//!
//! A [`Store`] holds topics. A [`Topic`] is one totally ordered stream of particles, each sealed with
//! SHA-256 and linked to the one before it; its index finds them by their metadata. A [`Consumer`] is
//! a named position in a topic that any number of workers share. Where a store is kept is behind the
//! seam of [`TopicLog`] and [`Backend`]: a folder, or memory.
//!
//! ```
//! use efflux_storage::particle::Message;
//! use efflux_storage::{Expect, Query, Store, TopicOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::open("mem:").await?; // or file:./data
//! let rooms = store.create_topic(&"rooms".parse()?, TopicOptions::default()).await?;
//!
//! // Book room 7, if nobody has booked it since we looked.
//! let bookings: Query = "data_type = 'room.booked' and properties.room = '7'".parse()?;
//! let looked = rooms.head().sequence;
//! let booked = Message::new("for Ada").with_data_type("room.booked").with_property("room", "7");
//! let expect = Expect::NoMatch { query: bookings, after: looked };
//! rooms.append_expecting(vec![booked.clone()], expect.clone()).await?;
//!
//! let refused = rooms.append_expecting(vec![booked], expect).await;
//! assert!(refused.is_err(), "sequence 1 matches by now");
//!
//! assert_eq!(rooms.verify(Default::default()).await?.particles, 2);
//! # Ok(())
//! # }
//! ```

pub mod limits;

mod clock;
mod error;
mod options;
pub mod query;

mod expect;
mod verify;

mod frames;
mod log;
mod sequencer;

mod crew;
mod disk;
mod ids;
mod workers;

mod consumer;
mod find;
mod host;
mod index;
mod journal;
mod table;

mod local;
mod memory;

mod store;
mod topic;
mod typed;

mod restoration;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "remote")]
pub mod remote;

pub use clock::{Clock, ManualClock, SystemClock};
pub use consumer::{
    Consumer, ConsumerOptions, ConsumerState, ConsumerStatus, Delivery, Start, Ticket,
    limits as consumer_limits,
};
pub use disk::{Disk, DiskFile, LockGuard, RealDisk};
pub use efflux_particle::{self as particle};
pub use error::{Damage, Error, ErrorKind, Result};
pub use expect::{Expect, Receipt};
pub use find::{FindOptions, Finder};
pub use frames::Frames;
pub use log::{Appended, Backend, Batch, Journal, LookedUp, ReadLimit, Restoring, TopicLog};
pub use options::{Access, BearerToken, ClientCertificate, StoreOptions, Sync, TopicOptions};
pub use query::{Query, QueryError};
pub use restoration::Restoration;
pub use store::Store;
pub use topic::{Audit, Follower, Topic};
pub use typed::{Data, Encoding, TypedBatches, TypedTopic};
pub use verify::{Progress, Verified};
