//! Stores that a node hosts: the protocol, and the backend that speaks it.
//!
//! ```text
//! Topic, Consumer ─▶ RemoteLog, RemoteBackend ─▶ Client ─▶ one thread of its own, connections ─▶ node
//!                    checks what comes,           retries where it is safe
//!                    reads ahead,
//!                    sends appends together
//! ```

pub mod wire;

mod address;
mod call;
mod client;
#[cfg(not(feature = "remote-tls"))]
mod connector;
#[cfg(feature = "remote-tls")]
#[path = "remote/secure_connector.rs"]
mod connector;
mod pieces;

mod ahead;
mod frames;
mod pipeline;

mod log;

mod backend;
mod consumer;
mod restoration;

pub(crate) use self::address::Address;
pub(crate) use self::backend::RemoteBackend;
