//! The protocol between a node and its clients: what stands in bodies and headers.
//!
//! The server of efflux-node and the remote backend use the same types. docs/node.md describes the
//! routes, and which of these goes where.

mod appended;
mod consumer;
mod expectation;
mod problem;
mod restoration;
mod text;
mod time;
mod topic;
mod verified;
mod whole;

pub use self::appended::{Appended, AppendedEach, Durability, Outcome, Receipt};
pub use self::consumer::{
    ConsumerNames, ConsumerSettings, ConsumerShown, DeliveriesHead, Extend, Receive, Rollback,
    Seek, Tickets, print_start,
};
pub use self::expectation::{parse_expect, print_expect};
pub use self::problem::{DamageShown, Problem, ProblemKind};
pub use self::restoration::{ConsumerStateShown, RestorationLine};
pub use self::text::{decode_text, encode_text};
pub use self::time::{parse_sync, print_sync};
pub use self::topic::{HeadShown, TopicNames, TopicSettings, TopicShown};
pub use self::verified::{Verified, Verify};

/// Where the first version of the interface begins.
pub const V1: &str = "/v1";

/// Media type of a body of frames, one behind the other.
pub const FRAMES: &str = "application/vnd.efflux.frames";

/// Media type of a body that is one frame.
pub const FRAME: &str = "application/vnd.efflux.frame";

/// Media type of deliveries: a line of JSON, which is [`DeliveriesHead`], then frames.
pub const DELIVERIES: &str = "application/vnd.efflux.deliveries";

/// Media type of a topic that is sent to be restored: see [`RestorationLine`].
pub const RESTORATION: &str = "application/vnd.efflux.restoration";

/// Media type of JSON.
pub const JSON: &str = "application/json";

/// Media type of JSON values, one a line.
pub const NDJSON: &str = "application/x-ndjson";

/// Media type of problem documents (RFC 9457).
pub const PROBLEM: &str = "application/problem+json";

/// Header that says what must hold for an append to happen; see [`parse_expect`].
pub const EXPECT_HEADER: &str = "efflux-expect";

/// Header of an answer that tells the topic's head.
pub const HEAD_HEADER: &str = "efflux-head";
