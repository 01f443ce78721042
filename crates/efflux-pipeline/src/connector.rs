//! Where messages come from.

use std::fmt;

use async_trait::async_trait;
use efflux_storage::particle::Message;

use crate::stage_error::StageError;

/// Names an intake until it is answered. Only its connector knows what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IntakeReceipt(pub u64);

/// Messages that came in together, and the receipt to answer them by.
#[derive(Clone, Debug)]
pub struct Intake {
    /// The messages, in order.
    pub messages: Vec<Message>,
    /// What `ack` and `nack` name them by.
    pub receipt: IntakeReceipt,
}

/// Brings messages from elsewhere: files, a broker, HTTP.
///
/// 1. `poll` returns at most `messages_max` messages; none means that the source has ended.
/// 2. `poll` is cancel-safe: when it is dropped, nothing that came in is lost.
/// 3. `ack` is called when every message of the intake is durable in a topic, and never before.
///    Only then may the connector let go of the original: move the file, answer the broker.
/// 4. `nack` is called instead when the intake was not appended; the same messages come again.
/// 5. An intake may come twice, after a crash between the append and the `ack`. Its messages
///    therefore carry ids that depend on nothing but their origin, so that appending them again
///    adds nothing.
/// 6. Back-pressure is not polling; a connector holds no more than one intake that was not asked
///    for.
#[async_trait]
pub trait Connector: Send + fmt::Debug {
    /// The next messages; none when the source has ended.
    ///
    /// # Errors
    /// [`StageError`], which the pipeline's error policy answers.
    async fn poll(&mut self, messages_max: usize) -> Result<Option<Intake>, StageError>;

    /// Says that the intake is durable.
    ///
    /// # Errors
    /// [`StageError`] when the source could not be told; the intake then comes again.
    async fn ack(&mut self, receipt: IntakeReceipt) -> Result<(), StageError>;

    /// Says that the intake was not appended, and why.
    ///
    /// # Errors
    /// [`StageError`] when the source could not be told.
    async fn nack(&mut self, receipt: IntakeReceipt, why: &StageError) -> Result<(), StageError>;
}
