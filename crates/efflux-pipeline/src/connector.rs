//! Where messages come from.

#[cfg(feature = "files")]
mod files;
#[cfg(feature = "http")]
mod http_poll;
pub(crate) mod line_cutter;
#[cfg(feature = "mqtt")]
mod mqtt;
pub(crate) mod positioned;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
mod stdin;
mod topic;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use efflux_storage::particle::Message;

use crate::parcel::Parcel;
use crate::stage_error::StageError;

#[cfg(feature = "files")]
pub use self::files::{FilesConnector, FilesDone, FilesForm, FilesSettings};
#[cfg(feature = "http")]
pub use self::http_poll::{HttpElements, HttpPollConnector, HttpPollSettings};
#[cfg(feature = "mqtt")]
pub use self::mqtt::{MqttConnector, MqttConnectorSettings};
#[cfg(feature = "rabbitmq")]
pub use self::rabbitmq::{RabbitMqConnector, RabbitMqConnectorSettings};
pub use self::stdin::{StdinConnector, StdinForm, StdinSettings};
pub use self::topic::TopicConnector;

/// Names an intake until it is answered. Only its connector knows what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntakeReceipt(pub u64);

/// How much one intake may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntakeMax {
    /// Messages; at least 1.
    pub messages: usize,
    /// Bytes of payload. One message that is larger comes alone.
    pub bytes: usize,
}

/// Messages that came in together, and the receipt to answer them by.
#[derive(Debug)]
pub struct Intake {
    /// The messages, in order.
    pub parcels: Vec<Parcel>,
    /// What came in and can be no message as it is, and why: it goes where the pipeline's policy
    /// sends what is rejected. The message is the closest that could be made of it.
    pub refused: Vec<(Message, StageError)>,
    /// What `ack` and `nack` name them by.
    pub receipt: IntakeReceipt,
}

impl Intake {
    /// An intake of messages, none of them refused.
    #[must_use]
    pub fn new(receipt: IntakeReceipt, messages: impl IntoIterator<Item = Message>) -> Self {
        Self {
            parcels: messages.into_iter().map(Parcel::of_message).collect(),
            refused: Vec::new(),
            receipt,
        }
    }
}

/// Brings messages from elsewhere: files, a broker, HTTP, a topic.
///
/// 1. `poll` waits for messages, and returns none when the source has ended for good. It is called by
///    one task at a time; the other methods are called beside it.
/// 2. `poll` is cancel-safe: when it is dropped, nothing that came in is lost.
/// 3. Every message has an id that depends on nothing but its origin, so that what comes twice, after
///    a crash between delivery and `ack`, adds nothing to a topic.
/// 4. `ack` is called when all that became of the intake is where it belongs, durably, and never
///    before. Only then may the connector let go of the original: move the file, answer the broker.
/// 5. `nack` is called instead when the intake was not delivered; the same messages come again.
/// 6. Several intakes may be under way; they are answered in any order. Back-pressure is not
///    polling; a connector holds no more than one intake that was not asked for.
/// 7. A connector whose intakes fall back to others after a while tells its `lease`; `extend` is then
///    called at a third of it.
#[async_trait]
pub trait Connector: Send + Sync + fmt::Debug {
    /// The next messages; none when the source has ended.
    ///
    /// # Errors
    /// [`StageError`]: `Unavailable` is tried again with backoff, `Fatal` stops the pipeline.
    async fn poll(&self, max: IntakeMax) -> Result<Option<Intake>, StageError>;

    /// Says that all that became of the intake is durable.
    ///
    /// # Errors
    /// [`StageError`] when the source could not be told; the intake then comes again.
    async fn ack(&self, receipt: IntakeReceipt) -> Result<(), StageError>;

    /// Says that the intake was not delivered, and why.
    ///
    /// # Errors
    /// [`StageError`] when the source could not be told.
    async fn nack(&self, receipt: IntakeReceipt, why: &StageError) -> Result<(), StageError>;

    /// How long an intake is this pipeline's alone; none when it is until it is answered.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// Holds on to these intakes for another lease.
    ///
    /// # Errors
    /// [`StageError`] when one of them was given to somebody else.
    async fn extend(&self, receipts: &[IntakeReceipt]) -> Result<(), StageError> {
        let _ = receipts;
        Ok(())
    }

    /// Whether messages of one message group are never in two intakes that are under way at once.
    /// Where they may be, intakes are delivered in the order in which they came.
    fn keeps_groups_apart(&self) -> bool {
        false
    }

    /// Whether messages may still come that are not to be had right now: others have taken them, or
    /// the source is not reached. A pipeline that ends when it is idle waits for them.
    ///
    /// # Errors
    /// [`StageError`], which is taken for a yes.
    async fn waits_for_others(&self) -> Result<bool, StageError> {
        Ok(false)
    }

    /// Lets go of the source; nothing is called after it.
    ///
    /// # Errors
    /// [`StageError`], which is logged.
    async fn close(&self) -> Result<(), StageError> {
        Ok(())
    }
}
