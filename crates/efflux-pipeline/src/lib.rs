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

#[cfg(feature = "declared")]
pub mod declared;
#[cfg(feature = "file")]
pub mod file;

mod quantity;
mod secret;

mod stage_error;

mod setting_fault;

#[cfg(any(
    feature = "http",
    feature = "mqtt",
    feature = "postgres",
    feature = "rabbitmq",
    feature = "webhook"
))]
mod tls;

#[cfg(any(feature = "fetch", feature = "http", feature = "webhook"))]
mod retry_after;
#[cfg(any(feature = "http", feature = "webhook"))]
mod service;

#[cfg(any(
    feature = "convert",
    feature = "files",
    feature = "jq",
    feature = "split"
))]
mod byte_order_mark;
mod derived_id;
mod step_name;

mod stage;

mod parcel;

mod emit;
mod template;

#[cfg(any(feature = "mqtt", feature = "rabbitmq"))]
mod arrival;

#[cfg(feature = "rabbitmq")]
mod amqp;
#[cfg(feature = "mqtt")]
mod mqtt;

mod connector;

mod filter;
mod transform;

mod router;

mod port;

pub mod closure;

mod aggregate;
mod step;

mod backoff;
mod policy;

mod chain;

mod counters;
mod dead_letter;

mod pipeline;

pub use aggregate::{AGGREGATED, Aggregate, AggregateForm};
#[cfg(any(feature = "mqtt", feature = "rabbitmq"))]
pub use arrival::WithoutId;
pub use connector::{Connector, Intake, IntakeMax, IntakeReceipt, TopicConnector};
#[cfg(feature = "files")]
pub use connector::{FilesConnector, FilesDone, FilesForm, FilesSettings};
#[cfg(feature = "http")]
pub use connector::{HttpElements, HttpPollConnector, HttpPollSettings};
#[cfg(feature = "mqtt")]
pub use connector::{MqttConnector, MqttConnectorSettings};
#[cfg(feature = "rabbitmq")]
pub use connector::{RabbitMqConnector, RabbitMqConnectorSettings};
pub use connector::{StdinConnector, StdinForm, StdinSettings};
pub use counters::{Counters, Counts};
pub use derived_id::derived_id;
pub use efflux_storage::{self as storage, particle};
pub use emit::{Emit, EmitMax};
pub use filter::{DedupeFilter, DedupeSettings, Filter, QueryFilter, VerifyFilter, VerifySettings};
pub use parcel::{CAUSE, CORRELATION, Origin, Parcel};
pub use pipeline::{Order, Pipeline, PipelineError, PipelineOptions};
pub use policy::{Policy, Retry, Then};
pub use port::{Advance, Batch, Failed, Kept, Port, Reader, TopicsPort};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use port::{ColumnSource, WriteMode};
#[cfg(feature = "email")]
pub use port::{EmailAttachment, EmailPort, EmailPortSettings, EmailTls};
#[cfg(feature = "file-port")]
pub use port::{FileLayout, FilePort, FilePortSettings, FileSeparator};
#[cfg(feature = "mqtt")]
pub use port::{MqttPort, MqttPortSettings};
#[cfg(feature = "postgres")]
pub use port::{PostgresPort, PostgresPortSettings};
#[cfg(feature = "rabbitmq")]
pub use port::{RabbitMqPort, RabbitMqPortSettings};
#[cfg(feature = "sqlite")]
pub use port::{SqlitePort, SqlitePortSettings};
#[cfg(feature = "stdout")]
pub use port::{StdoutFormat, StdoutPort, StdoutPortSettings};
#[cfg(feature = "webhook")]
pub use port::{WebhookPort, WebhookPortSettings};
pub use quantity::{ByteSize, Period, QuantityError};
pub use router::{Route, RouteRule, Router, RouterSettings, Routes};
pub use secret::Secret;
pub use setting_fault::{Key, SettingFault};
pub use stage::Stage;
pub use stage_error::StageError;
pub use step::{Step, StepWork};
pub use step_name::{StepName, StepNameError};
pub use template::{Field, Template, TemplateError};
pub use transform::{
    AsyncTransform, MetadataSettings, MetadataTransform, Transform, limits as transform_limits,
};
#[cfg(feature = "convert")]
pub use transform::{
    Compression, Convert, ConvertSettings, CsvSettings, Decompress, JsonToCsvSettings,
};
#[cfg(feature = "unzip")]
pub use transform::{ENTRY, Unzip, UnzipSettings};
#[cfg(feature = "fetch")]
pub use transform::{Fetch, FetchSettings};
#[cfg(feature = "jq")]
pub use transform::{Jq, JqError, JqFilter, JqSettings};
#[cfg(feature = "split")]
pub use transform::{RowForm, Split, SplitCsv, SplitJson, SplitLines, SplitSettings, SplitXml};
#[cfg(feature = "wasm")]
pub use transform::{Wasm, WasmSettings};
#[cfg(feature = "xslt")]
pub use transform::{Xslt, XsltSettings};
