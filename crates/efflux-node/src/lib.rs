//! The Efflux node: a store hosted over HTTP, records from files, backups, and the program `efflux`.
//!
//! The library holds what other programs can use as well: [`backup`] keeps topics in a folder of
//! frames and restores them, [`import`] turns files of records into messages, [`json`] writes
//! particles as JSON, [`pipelines`] runs what files declare, and [`server`] hosts a store for others.
//!
//! ```
//! use efflux_node::import::{Format, Mapping, Records, RecordOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = "{\"id\":\"a-1\",\"total\":12}\n{\"id\":\"a-2\",\"total\":7}\n".as_bytes();
//! let mut mapping = Mapping::default().with_id("id".parse()?);
//! let mut records = Records::new(Format::Ndjson, Box::new(file), &RecordOptions::default())?;
//! let mut ids = Vec::new();
//! while let Some(record) = records.next() {
//!     let message = mapping.message("orders.ndjson", record?)?;
//!     ids.extend(message.id().map(ToString::to_string));
//! }
//! assert_eq!(ids, ["a-1", "a-2"]);
//! # Ok(())
//! # }
//! ```

pub mod backup;
pub mod import;
pub mod json;
pub mod pipelines;
pub mod server;

pub use efflux_flow::{self as flow, particle, pipeline, storage};
