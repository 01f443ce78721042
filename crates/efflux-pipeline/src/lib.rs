//! The stages of Efflux pipelines: connectors, routers, filters, transforms and ports.
//!
//! ```text
//! producer:  data ─▶ Connector ─▶ message ─▶ Router ─▶ topic
//! consumer:  topic ─▶ Filter ─▶ Transform ─▶ Port ─▶ commit
//! ```
//!
//! A pipeline is a line: a [`Connector`], steps, and a [`Port`]. What flows is a [`Parcel`], a message
//! and where it comes from.
//!
//! ```
//! use efflux_pipeline::particle::Message;
//! use efflux_pipeline::{Filter, Parcel, QueryFilter};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let large = QueryFilter::new("data.total > 100".parse()?);
//! assert!(large.keeps(&Parcel::of_message(Message::new("{\"total\":120}")))?);
//! assert!(!large.keeps(&Parcel::of_message(Message::new("{\"total\":7}")))?);
//! # Ok(())
//! # }
//! ```

pub mod limits;

#[cfg(feature = "file")]
pub mod file;

mod quantity;
mod secret;

mod stage_error;

mod derived_id;
mod parcel;
mod step_name;

mod emit;
mod template;

#[cfg(feature = "rabbitmq")]
mod amqp;
#[cfg(feature = "rabbitmq")]
mod arrival;

mod connector;

mod filter;
mod transform;

mod router;

mod port;

#[cfg(feature = "rabbitmq")]
pub use arrival::WithoutId;
pub use connector::{Connector, Intake, IntakeMax, IntakeReceipt};
#[cfg(feature = "rabbitmq")]
pub use connector::{RabbitMqConnector, RabbitMqConnectorSettings};
pub use derived_id::derived_id;
pub use efflux_storage::{self as storage, particle};
pub use emit::{Emit, EmitMax};
pub use filter::{Filter, QueryFilter};
pub use parcel::{CAUSE, CORRELATION, Origin, Parcel};
pub use port::{Advance, Batch, Failed, Kept, Port, Reader};
#[cfg(feature = "rabbitmq")]
pub use port::{RabbitMqPort, RabbitMqPortSettings};
pub use quantity::{ByteSize, Period, QuantityError};
pub use router::{Route, Router};
pub use secret::Secret;
pub use stage_error::StageError;
pub use step_name::{StepName, StepNameError};
pub use template::{Field, Template, TemplateError};
pub use transform::{AsyncTransform, Transform};
