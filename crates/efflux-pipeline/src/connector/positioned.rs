//! The particles of a topic in strict order, from a position on.

use async_trait::async_trait;
use efflux_storage::particle::{Particle, Sequence};
use efflux_storage::{Consumer, ReadLimit, Start, Topic};
use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;

use super::{Connector, Intake, IntakeMax, IntakeReceipt};
use crate::parcel::Parcel;
use crate::stage_error::StageError;

/// The particles of a topic in strict order, from a position on, whatever their groups.
///
/// The position is kept by a consumer, which an `ack` moves behind the intake, or by the port itself,
/// in one transaction with what it delivers. There is no lease: one process reads it at a time. Where
/// the port keeps the position, a second one is noticed and stops; where a consumer does, two
/// processes deliver everything twice.
///
/// A receipt is the sequence of the intake's last particle.
#[derive(Debug)]
pub(crate) struct PositionedConnector {
    topic: Topic,
    /// Who keeps the position; none for the port.
    keeper: Option<Consumer>,
    next: AsyncMutex<Sequence>,
    /// The first particle that is not delivered, for a `nack`.
    acknowledged: Mutex<Sequence>,
}

impl PositionedConnector {
    pub(crate) fn new(topic: Topic, keeper: Option<Consumer>, next: Sequence) -> Self {
        Self {
            topic,
            keeper,
            next: AsyncMutex::new(next),
            acknowledged: Mutex::new(next),
        }
    }

    async fn read(&self, from: Sequence, max: IntakeMax) -> Result<Vec<Particle>, StageError> {
        if let Some(before) = from.previous() {
            self.topic.wait_past(before).await?;
        }
        let limit = ReadLimit {
            particles: max.messages,
            bytes: max.bytes,
        };
        Ok(self.topic.read(from, limit).await?)
    }
}

#[async_trait]
impl Connector for PositionedConnector {
    async fn poll(&self, max: IntakeMax) -> Result<Option<Intake>, StageError> {
        let mut next = self.next.lock().await;
        loop {
            let read = self.read(*next, max).await?;
            let Some(last) = read.last().map(Particle::sequence) else {
                continue;
            };
            *next = last.next();
            let mut intake = Intake::new(IntakeReceipt(last.get()), []);
            let name = self.topic.name();
            let parcels = read
                .into_iter()
                .filter(|it| it.sequence() != Sequence::ROOT);
            intake.parcels = parcels
                .map(|particle| Parcel::of_particle(name.clone(), particle))
                .collect();
            return Ok(Some(intake));
        }
    }

    async fn ack(&self, receipt: IntakeReceipt) -> Result<(), StageError> {
        let next = Sequence::new(receipt.0).next();
        if let Some(keeper) = &self.keeper {
            keeper.seek(Start::Sequence(next)).await?;
        }
        *self.acknowledged.lock() = next;
        Ok(())
    }

    async fn nack(&self, _receipt: IntakeReceipt, _why: &StageError) -> Result<(), StageError> {
        let mut next = self.next.lock().await;
        *next = *self.acknowledged.lock();
        Ok(())
    }
}
