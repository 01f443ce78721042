//! The bounds of MQTT's stages, each with its unit and reason.

use std::time::Duration;

/// Time until a connection stands: 30 s. A broker that hangs takes connections and answers nothing.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(30);

/// Time between two signs of life, by default: 10 s. A broker that hangs is noticed after about
/// twice that.
pub(crate) const KEEP_ALIVE_DEFAULT: Duration = Duration::from_secs(10);

/// Messages that a broker delivers before it is answered, by default: 100.
pub(crate) const RECEIVE_MAX_DEFAULT: u16 = 100;

/// Requests to the broker that wait beside the acknowledgements: 16. There are few others.
pub(crate) const REQUESTS_BESIDE: usize = 16;

/// Messages that a port has sent and that are not confirmed: 1,000. The broker may want fewer.
pub(crate) const SENDING_MAX: usize = 1000;

/// Bytes of a topic's name: 65,535, as its length is two bytes.
pub(crate) const TOPIC_BYTES_MAX: usize = 65_535;

/// Bytes that a packet has beside names, values and payload of its message, at most: 1 KiB.
pub(crate) const PACKET_BYTES_BESIDE: usize = 1024;

/// Bytes that a property takes beside its name and value: one of a kind, two of each length.
pub(crate) const PROPERTY_BYTES_BESIDE: usize = 5;
