//! Event-sourcing flows on an Efflux timeline: processes that decide and projections that answer.
//!
//! Today this crate holds the two contracts. What runs flows, keeps their state and their views,
//! and routes events to their instances is yet to come.
//!
//! ```
//! use efflux_flow::Projection;
//!
//! /// What customers have spent.
//! #[derive(Debug)]
//! struct Spent;
//!
//! impl Projection for Spent {
//!     type Event = (String, u64);
//!     type Document = u64;
//!
//!     fn route(&self, (customer, _): &Self::Event) -> Option<String> {
//!         Some(customer.clone())
//!     }
//!
//!     fn given(&self, spent: &mut u64, (_, amount): &Self::Event) {
//!         *spent += amount;
//!     }
//! }
//!
//! let mut spent = 0;
//! for event in [("c-7".to_owned(), 12), ("c-7".to_owned(), 30)] {
//!     Spent.given(&mut spent, &event);
//! }
//! assert_eq!(spent, 42);
//! ```

mod decision;

mod process;

mod projection;

pub use decision::Decision;
pub use efflux_pipeline::{self as pipeline, particle, storage};
pub use process::Process;
pub use projection::Projection;
