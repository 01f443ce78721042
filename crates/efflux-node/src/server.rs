//! Hosts a store over HTTP. docs/node.md describes routes, forms, errors and limits.
//!
//! ```
//! use efflux_node::server::{Server, ServerOptions};
//! use efflux_node::storage::Store;
//! use tokio::sync::oneshot;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::open("mem:").await?;
//! let server = Server::bind(store, "127.0.0.1:0", ServerOptions::default()).await?;
//! println!("http://{}", server.address());
//!
//! let (stop, stopped) = oneshot::channel::<()>();
//! let running = tokio::spawn(server.run(async { drop(stopped.await) }));
//! drop(stop); // the program was asked to end
//! running.await??;
//! # Ok(())
//! # }
//! ```

pub mod limits;

mod activity;
mod exposure;
mod measured_disk;
mod options;
mod origin;
mod pages;
mod patience;
mod stalling;
mod streamed;
mod streams;
mod tls;

mod trace;

mod cloudevents;
mod refusal;

mod access;
mod config;
mod consumers;
mod hosting;
mod metrics;
mod node;

mod audit;
mod lasting;

mod answer;
mod extract;

mod console;
mod description;
mod gate;
mod routes;

mod connection;
mod listener;

pub use self::access::{Access, Action, NewToken, Permission, Token, Tokens};
pub use self::config::{Config, Limits, Prepared};
pub use self::exposure::Exposure;
pub use self::hosting::Variables;
pub use self::listener::Server;
pub use self::measured_disk::MeasuredDisk;
pub use self::options::ServerOptions;
pub use self::routes::openapi;
pub use self::tls::{Tls, TlsFiles};
