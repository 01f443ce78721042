//! Runs declared pipelines: starts, stops and reloads them, and tells how they stand.
//!
//! ```
//! use efflux_node::pipelines::Pipelines;
//! use efflux_node::storage::Store;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pipelines = Pipelines::beside(Store::open("mem:").await?);
//! let text = "version = 1\n[pipeline.copy]\nconnector = { topic = { name = \"a\" } }\n\
//!             router = { topic = \"b\" }\n";
//! let loaded = pipelines.load("copy.toml", text, &|_: &str| None);
//! loaded.map_err(|faults| format!("{faults:?}"))?;
//! pipelines.start("copy").await?;
//! assert_eq!(pipelines.list()[0].state.name(), "running");
//! pipelines.stop_all().await;
//! # Ok(())
//! # }
//! ```

mod folder;
mod host;
mod running;
mod standing;

pub use self::folder::{Folder, Reloaded};
pub use self::host::{HostError, Pipelines};
pub use self::standing::{Standing, State};
