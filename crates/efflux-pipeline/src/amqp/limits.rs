//! The bounds of RabbitMQ's stages, each with its unit and reason.

use std::time::Duration;

/// Time until a connection stands, with its channel: 30 s. A broker that hangs takes connections
/// and answers nothing.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(30);

/// Seconds between two signs of life, unless the URL says otherwise: 10. A broker that hangs is
/// noticed after about twice that.
pub(crate) const HEARTBEAT_SECONDS: u16 = 10;

/// Messages that a broker delivers before it is answered, by default: 500, which is what one intake
/// takes by default.
pub(crate) const PREFETCH_DEFAULT: u16 = 500;

/// Levels of a header's value that are read: 16. Deeper nesting is only made to exhaust a stack.
pub(crate) const HEADER_DEPTH_MAX: usize = 16;
