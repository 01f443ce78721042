//! Where messages leave Efflux.

use std::fmt;

use async_trait::async_trait;
use efflux_storage::particle::Message;
use thiserror::Error;

use crate::stage_error::StageError;

/// Why a delivery failed, as a whole or in parts.
#[derive(Debug, Error)]
pub enum Failed {
    /// Nothing was delivered.
    #[error(transparent)]
    Whole(#[from] StageError),
    /// All was delivered but for these: the message's place in the batch, and why.
    #[error("{} messages of the batch were not delivered", .0.len())]
    Parts(Vec<(usize, StageError)>),
}

/// Takes messages elsewhere: a database, a broker, an HTTP service, another topic.
///
/// 1. When `deliver` returns, every message is where it belongs, durably as the target defines it;
///    their tickets are committed then and not before.
/// 2. A batch may come again, whole or in parts, after a crash before the commit. A port to a
///    target that knows ids delivers under the message's id, so that nothing is there twice.
/// 3. Messages of one message group come in order, and the next one only after this one.
/// 4. `deliver` is given up by dropping it; what was delivered until then stays.
#[async_trait]
pub trait Port: Send + Sync + fmt::Debug {
    /// Delivers a batch.
    ///
    /// # Errors
    /// [`Failed`], which the pipeline's error policy answers.
    async fn deliver(&self, messages: &[Message]) -> Result<(), Failed>;
}
