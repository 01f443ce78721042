//! What the connector and the port of MQTT share: how a broker is reached, and how its properties
//! and ours become each other.

mod broker;
pub(crate) mod limits;
mod properties;
mod session;

pub(crate) use broker::{Broker, Session, failed, faults};
pub(crate) use properties::{ID, arrival, checked_topic, properties};
