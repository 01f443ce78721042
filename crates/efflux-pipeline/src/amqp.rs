//! What the connector and the port of RabbitMQ share: how a broker is reached, and how its
//! properties and ours become each other.

mod broker;
pub(crate) mod limits;
mod properties;
mod wire;

pub(crate) use broker::{Broker, failed, short};
pub(crate) use properties::{arrival, properties};
