//! Where messages leave a pipeline.

#[cfg(any(feature = "file-port", feature = "sqlite"))]
mod blocking;
#[cfg(feature = "email")]
mod email;
#[cfg(feature = "file-port")]
mod file;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(any(feature = "mqtt", feature = "rabbitmq"))]
mod rounds;
#[cfg(any(feature = "mqtt", feature = "rabbitmq", feature = "webhook"))]
mod shortfall;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "stdout")]
mod stdout;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod table;
mod topics;
#[cfg(feature = "webhook")]
mod webhook;

use std::fmt;

use async_trait::async_trait;
use efflux_storage::particle::ConsumerName;
use thiserror::Error;

use crate::parcel::Parcel;
use crate::stage_error::StageError;

#[cfg(feature = "email")]
pub use self::email::{EmailAttachment, EmailPort, EmailPortSettings, EmailTls};
#[cfg(feature = "file-port")]
pub use self::file::{FileLayout, FilePort, FilePortSettings, FileSeparator};
#[cfg(feature = "mqtt")]
pub use self::mqtt::{MqttPort, MqttPortSettings};
#[cfg(feature = "postgres")]
pub use self::postgres::{PostgresPort, PostgresPortSettings};
#[cfg(feature = "rabbitmq")]
pub use self::rabbitmq::{RabbitMqPort, RabbitMqPortSettings};
#[cfg(feature = "sqlite")]
pub use self::sqlite::{SqlitePort, SqlitePortSettings};
#[cfg(feature = "stdout")]
pub use self::stdout::{StdoutFormat, StdoutPort, StdoutPortSettings};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use self::table::{ColumnSource, WriteMode};
pub use self::topics::TopicsPort;
#[cfg(feature = "webhook")]
pub use self::webhook::{WebhookPort, WebhookPortSettings};

/// Why a delivery failed, as a whole or in parts.
#[derive(Debug, Error)]
pub enum Failed {
    /// Nothing was delivered.
    #[error(transparent)]
    Whole(#[from] StageError),
    /// All was delivered but for these: the message's place in the batch, ascending, and why.
    #[error("{} messages of the batch were not delivered", .0.len())]
    Parts(Vec<(usize, StageError)>),
    /// Nothing was delivered, because of these alone: without them the rest can be. For ports that
    /// deliver a batch in one transaction.
    #[error("{} messages kept the batch from being delivered", .0.len())]
    Refused(Vec<(usize, StageError)>),
}

/// Who delivers, and from where: what a port keeps a position by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The pipeline's name.
    pub pipeline: ConsumerName,
    /// What it reads: the fingerprint of the topic's root, which no other topic has.
    pub source: String,
}

/// Whether a port keeps the position of what it delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It does not: what is delivered and not yet committed may come twice.
    Nothing,
    /// It does, in one transaction with what it delivers: this is the sequence of the last particle
    /// that is done, none at the beginning. Nothing comes twice.
    Position(Option<u64>),
}

/// What is delivered together.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The messages, in order.
    pub parcels: &'a [Parcel],
    /// The position that is reached with them, for a port that keeps one: the sequence before it and
    /// the one after. There may be no messages and a position all the same.
    pub position: Option<Advance>,
}

/// How far a batch moves a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// The sequence that was kept until then; none at the beginning. When another one is found, some
    /// other process delivers for the same pipeline, and nothing may be changed.
    pub from: Option<u64>,
    /// The sequence to keep.
    pub to: u64,
}

/// Takes messages elsewhere: a database, a broker, an HTTP service, another topic.
///
/// 1. When `deliver` returns, every message is where it belongs, durably as the target defines it;
///    the source is answered then and not before.
/// 2. A batch may come again, whole or in parts, after a crash before the commit. A port to a
///    target that knows ids delivers under the message's id, so that nothing is there twice.
/// 3. Messages of one message group come in order. When one of them may be delivered later, those of
///    the same group behind it in the batch are not delivered either; [`Failed::Parts`] names them
///    too. Behind one that is rejected the group goes on.
/// 4. `deliver` is given up by dropping it; what was delivered until then stays.
/// 5. A port that keeps a position commits it in one transaction with the messages, by comparing:
///    only from [`Advance::from`] to [`Advance::to`]. It answers [`Failed::Whole`] or
///    [`Failed::Refused`], never [`Failed::Parts`]; it is called for one batch at a time.
#[async_trait]
pub trait Port: Send + Sync + fmt::Debug {
    /// Looks whether the target is there and as it should be; called before the first delivery, and
    /// again after it failed.
    ///
    /// # Errors
    /// [`StageError`]: `Unavailable` is tried again, `Fatal` stops the pipeline.
    async fn open(&self, reader: &Reader) -> Result<Kept, StageError> {
        let _ = reader;
        Ok(Kept::Nothing)
    }

    /// Delivers a batch.
    ///
    /// # Errors
    /// [`Failed`], which the pipeline's error policy answers.
    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed>;

    /// Whether the port keeps a position. What it answers never changes, and `open` answers alike.
    fn keeps_position(&self) -> bool {
        false
    }

    /// Whether it bounds the time of each message by itself, or has to wait for its target however
    /// long it takes. A delivery as a whole then takes as long as its messages do: to give it up would
    /// be to send again what was delivered.
    fn times_each_message(&self) -> bool {
        false
    }

    /// Lets go of the target; nothing is called after it.
    ///
    /// # Errors
    /// [`StageError`], which is logged.
    async fn close(&self) -> Result<(), StageError> {
        Ok(())
    }
}
