//! What becomes of a message on its way.

use std::fmt;

use efflux_storage::particle::Message;

use crate::stage_error::StageError;

/// Makes none, one or many messages out of one.
///
/// 1. The same message always becomes the same messages in the same order.
/// 2. What comes out carries ids that are derived from the id of what came in and its place among
///    the outputs, so that a redelivery into a topic adds nothing.
/// 3. A transform waits for nothing; what has to wait is a port.
pub trait Transform: Send + Sync + fmt::Debug {
    /// Adds what becomes of `message` to `out`.
    ///
    /// # Errors
    /// [`StageError::Rejected`] when the message cannot be transformed; `out` is then not used.
    fn apply(&self, message: Message, out: &mut Vec<Message>) -> Result<(), StageError>;
}
