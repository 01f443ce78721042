//! Connectors and ports of brokers, against real ones.
#![expect(clippy::unwrap_used, reason = "in tests")]

mod mqtt;
mod rabbitmq;
mod rig;
