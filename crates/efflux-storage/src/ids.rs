//! Ids and times for what enters Efflux.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use efflux_particle::{Id, Stamp, Timestamp};
use uuid::{Builder, Uuid};

use crate::clock::Clock;

/// Makes UUIDs of version 7 (RFC 9562): the time in milliseconds, then a counter that began at a
/// random place, so that ids of one process ascend and those of several do not meet.
#[derive(Debug)]
pub(crate) struct IdSource {
    clock: Arc<dyn Clock>,
    counter: AtomicU64,
    salt: u16,
}

impl IdSource {
    /// A source whose counter begins at a random place.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        #[expect(clippy::cast_possible_truncation, reason = "any 16 random bits do")]
        let salt = high as u16;
        Self {
            clock,
            counter: AtomicU64::new(low),
            salt,
        }
    }

    pub(crate) const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What the sealing side adds to a message that enters now.
    pub(crate) fn stamp(&self, in_batch: bool) -> Stamp {
        self.stamps(in_batch).make()
    }

    /// Stamps for messages that enter now, together.
    pub(crate) fn stamps(&self, in_batch: bool) -> Stamps<'_> {
        let created = self.clock.now();
        Stamps {
            source: self,
            created,
            millis: u64::try_from(created.nanos() / 1_000_000).unwrap_or(0),
            in_batch,
        }
    }
}

/// Makes the stamps of messages that enter together: at one time, each with an id of its own.
#[derive(Debug)]
pub(crate) struct Stamps<'a> {
    source: &'a IdSource,
    created: Timestamp,
    millis: u64,
    in_batch: bool,
}

impl Stamps<'_> {
    pub(crate) fn make(&self) -> Stamp {
        let count = self.source.counter.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        let salt = self.source.salt.to_le_bytes().into_iter();
        random
            .iter_mut()
            .zip(salt.chain(count.to_le_bytes().into_iter().rev()))
            .for_each(|(place, byte)| *place = byte);
        let uuid = Builder::from_unix_timestamp_millis(self.millis, &random).into_uuid();
        Stamp {
            id: Id::from_uuid(uuid.into_bytes()),
            created: self.created,
            in_batch: self.in_batch,
        }
    }
}
