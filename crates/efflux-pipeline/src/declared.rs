//! Pipelines declared in a file: TOML 1.1, with a JSON schema for editors.
//!
//! ```
//! use efflux_pipeline::declared::Document;
//!
//! let text = r#"
//! version = 1
//!
//! [pipeline.large-orders]
//! connector = { topic = { name = "orders" } }
//! steps = [{ filter = 'data.total > 100' }]
//! router = { topic = "large-orders" }
//!
//! [[test]]
//! name = "small orders are left out"
//! pipeline = "large-orders"
//! input = [{ json = { total = 120 } }, { json = { total = 7 } }]
//! expect = [{ json = { total = 120 } }]
//! "#;
//! let document = Document::read(text, &|_: &str| None).map_err(|faults| format!("{faults:?}"))?;
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! for report in document.test(None).await {
//!     assert!(report.faults.is_empty(), "{:?}", report.faults);
//! }
//! # });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod connectors;
mod document;
mod entry;
mod example;
#[cfg(test)]
mod fault_tests;
mod jq_entry;
mod pipeline;
mod ports;
mod schema;
#[cfg(test)]
mod schema_tests;
mod steps;
mod stores;
#[cfg(test)]
mod tests;
mod tried;

pub use self::connectors::{ConnectorKind, TopicSettings};
pub use self::document::{Document, DocumentFile};
pub use self::example::{ExampleMessage, ExampleSettings, ExpectedFailure, ExpectedMessage};
pub use self::jq_entry::JqEntry;
pub use self::pipeline::{ErrorSettings, PipelineSettings};
pub use self::ports::{PortKind, TopicsSettings};
pub use self::steps::{AggregateSettings, StepEntry, StepKind};
pub use self::stores::Stores;
pub use self::tried::TestReport;
