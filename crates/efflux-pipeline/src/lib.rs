//! The stages of Efflux pipelines: connectors, routers, filters, transforms and ports.
//!
//! ```text
//! producer:  data ─▶ Connector ─▶ message ─▶ Router ─▶ topic
//! consumer:  topic ─▶ Filter ─▶ Transform ─▶ Port ─▶ commit
//! ```
//!
//! Today this crate holds the contracts of the stages and the filter that speaks the query
//! language. What runs a pipeline, its file format and the built-in stages are yet to come.
//!
//! ```
//! use efflux_pipeline::storage::{Query, ReadLimit, Store, TopicOptions};
//! use efflux_pipeline::particle::{Message, Sequence};
//! use efflux_pipeline::{Filter, QueryFilter};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let store = Store::open("mem:").await?;
//! let orders = store.create_topic(&"orders".parse()?, TopicOptions::default()).await?;
//! orders.append(Message::new("{\"total\":120}")).await?;
//! orders.append(Message::new("{\"total\":7}")).await?;
//!
//! let large = QueryFilter::new("data.total > 100".parse()?);
//! let read = orders.read(Sequence::FIRST, ReadLimit::default()).await?;
//! assert!(large.keeps(&read[0])?);
//! assert!(!large.keeps(&read[1])?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })
//! # }
//! ```

#[cfg(feature = "file")]
pub mod file;

mod stage_error;

mod connector;

mod router;

mod filter;

mod transform;

mod port;

pub use connector::{Connector, Intake, IntakeReceipt};
pub use efflux_storage::{self as storage, particle};
pub use filter::{Filter, QueryFilter};
pub use port::{Failed, Port};
pub use router::{Route, Router};
pub use stage_error::StageError;
pub use transform::Transform;
