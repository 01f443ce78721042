//! What becomes of a message on its way.

mod metadata;

use std::fmt;

use async_trait::async_trait;

use crate::emit::Emit;
use crate::parcel::Parcel;
use crate::stage_error::StageError;

pub use self::metadata::{MetadataSettings, MetadataTransform};

/// Makes none, one or many messages out of one.
///
/// 1. The same message always becomes the same messages in the same order.
/// 2. What comes out goes through [`Emit`], which gives it ids that follow from the id of what came
///    in and its place among the outputs, so that a redelivery into a topic adds nothing.
/// 3. A transform waits for nothing; what has to wait is an [`AsyncTransform`]. It may take its
///    time: it runs on a thread where it holds up nobody else.
/// 4. What was added before an error is not used.
pub trait Transform: Send + Sync + fmt::Debug {
    /// Adds what becomes of `input` to `out`.
    ///
    /// # Errors
    /// [`StageError::Rejected`] when the message cannot be transformed.
    fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError>;
}

/// A transform that waits for something, such as an answer from elsewhere.
///
/// 1. What comes out goes through [`Emit`]. It need not be the same each time: the first answer that
///    is delivered counts.
/// 2. It is given up by dropping it. It changes nothing elsewhere, so that giving up does no harm.
/// 3. Several messages may be in it at once.
#[async_trait]
pub trait AsyncTransform: Send + Sync + fmt::Debug {
    /// Adds what becomes of `input` to `out`.
    ///
    /// # Errors
    /// [`StageError`], which the pipeline's error policy answers.
    async fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError>;
}
