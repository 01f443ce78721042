//! The particles of a topic in strict order, from a position on.

use std::collections::BTreeMap;

use async_trait::async_trait;
use efflux_storage::particle::{ConsumerName, Particle, Sequence};
use efflux_storage::{Consumer, ReadLimit, Start, Topic};
use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;

use super::{Connector, Intake, IntakeMax, IntakeReceipt};
use crate::dead_letter;
use crate::parcel::Parcel;
use crate::stage_error::StageError;

/// The particles of a topic in strict order, from a position on, whatever their groups.
///
/// The position is kept by a consumer, which an `ack` moves behind the intake, or by the port itself,
/// in one transaction with what it delivers. There is no lease: one process reads it at a time. Where
/// the port keeps the position, a second one is noticed and stops; where a consumer does, two
/// processes deliver everything twice.
///
/// A receipt is the sequence of the intake's last particle. Intakes may be answered in any order, as
/// when an aggregate holds parts of an early one: the position moves up to the first that is not
/// answered, and never past it.
#[derive(Debug)]
pub(crate) struct PositionedConnector {
    topic: Topic,
    /// Who keeps the position; none for the port.
    keeper: Option<Consumer>,
    next: AsyncMutex<Sequence>,
    /// Intakes that are not answered: the last particle of each, and the first.
    open: Mutex<BTreeMap<Sequence, Sequence>>,
    /// The particle behind the last that was given out.
    read_until: Mutex<Sequence>,
    /// The position that is kept. One answer moves it after the other.
    kept: AsyncMutex<Sequence>,
    /// Which of them go back to a pipeline, when they are dead letters.
    returning: Option<Returning>,
}

/// Which dead letters go back.
#[derive(Debug)]
struct Returning {
    pipeline: ConsumerName,
    /// The last letter: what fails again lies behind it, and does not go round in circles.
    until: Sequence,
}

impl PositionedConnector {
    pub(crate) fn new(topic: Topic, keeper: Option<Consumer>, next: Sequence) -> Self {
        Self {
            topic,
            keeper,
            next: AsyncMutex::new(next),
            open: Mutex::default(),
            read_until: Mutex::new(next),
            kept: AsyncMutex::new(next),
            returning: None,
        }
    }

    /// Gives out the dead letters of this pipeline up to `until`, as the messages that they tell of:
    /// each goes on with the stage that failed, and the source ends behind the last. The letters of
    /// other pipelines are passed over.
    pub(crate) fn returning_to(mut self, pipeline: ConsumerName, until: Sequence) -> Self {
        self.returning = Some(Returning { pipeline, until });
        self
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

    /// The first particle that is not answered, once this intake is.
    fn answered(&self, last: Sequence, read: Sequence) -> Sequence {
        let mut open = self.open.lock();
        open.remove(&last);
        // With nothing open, all that was read is answered.
        open.values().next().copied().unwrap_or(read)
    }
}

#[async_trait]
impl Connector for PositionedConnector {
    async fn poll(&self, max: IntakeMax) -> Result<Option<Intake>, StageError> {
        let mut next = self.next.lock().await;
        loop {
            if self.returning.as_ref().is_some_and(|it| it.until < *next) {
                return Ok(None);
            }
            let read = self.read(*next, max).await?;
            let Some(last) = read.last().map(Particle::sequence) else {
                continue;
            };
            self.open.lock().insert(last, *next);
            *next = last.next();
            *self.read_until.lock() = last.next();
            let mut intake = Intake::new(IntakeReceipt(last.get()), []);
            let name = self.topic.name();
            let particles = read
                .into_iter()
                .filter(|it| it.sequence() != Sequence::ROOT);
            match &self.returning {
                None => intake
                    .parcels
                    .extend(particles.map(|particle| Parcel::of_particle(name.clone(), particle))),
                Some(returning) => returning.give_back(particles, &mut intake),
            }
            return Ok(Some(intake));
        }
    }

    async fn ack(&self, receipt: IntakeReceipt) -> Result<(), StageError> {
        let mut kept = self.kept.lock().await;
        let read = *self.read_until.lock();
        let position = self.answered(Sequence::new(receipt.0), read);
        if position <= *kept {
            return Ok(());
        }
        if let Some(keeper) = &self.keeper {
            keeper.seek(Start::Sequence(position)).await?;
        }
        *kept = position;
        Ok(())
    }

    async fn waits_for_others(&self) -> Result<bool, StageError> {
        // Dead letters that go back end by themselves.
        let next = self.read_until.lock().get();
        Ok(self.returning.is_none() && self.topic.head().sequence.get() >= next)
    }

    async fn nack(&self, _receipt: IntakeReceipt, _why: &StageError) -> Result<(), StageError> {
        let mut next = self.next.lock().await;
        self.open.lock().clear();
        *next = *self.kept.lock().await;
        Ok(())
    }
}

impl Returning {
    fn give_back(&self, letters: impl Iterator<Item = Particle>, intake: &mut Intake) {
        let is_its = |letter: &Particle| {
            let pipeline = letter.metadata().property(dead_letter::ERROR_PIPELINE);
            pipeline == Some(self.pipeline.as_str()) && letter.sequence() <= self.until
        };
        for letter in letters.filter(is_its) {
            match dead_letter::returned(&letter) {
                Ok(parcel) => intake.parcels.push(parcel),
                Err(error) => intake.refused.push(((&letter).into(), error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::Message;
    use efflux_storage::{ConsumerOptions, Store, TopicOptions};

    const ONE: IntakeMax = IntakeMax {
        messages: 1,
        bytes: 1024,
    };

    async fn opened() -> (PositionedConnector, Consumer) {
        let store = Store::open("mem:").await.unwrap();
        let name = "orders".parse().unwrap();
        let made = store.create_topic(&name, TopicOptions::default()).await;
        let topic = made.unwrap();
        for number in 0..4 {
            let message = Message::new(number.to_string());
            topic.append(message).await.unwrap();
        }
        let name = "test".parse().unwrap();
        let consumer = Consumer::open(&topic, &name, ConsumerOptions::default()).await;
        let consumer = consumer.unwrap();
        let connector = PositionedConnector::new(topic, Some(consumer.clone()), Sequence::FIRST);
        (connector, consumer)
    }

    async fn polled(connector: &PositionedConnector) -> IntakeReceipt {
        connector.poll(ONE).await.unwrap().unwrap().receipt
    }

    #[tokio::test]
    async fn the_position_never_moves_past_what_is_not_answered() {
        let (connector, consumer) = opened().await;
        let mut receipts = Vec::new();
        for _ in 0..4 {
            receipts.push(polled(&connector).await);
        }
        for (answered, position) in [(1, 1), (2, 1), (0, 4), (3, 5)] {
            connector.ack(receipts[answered]).await.unwrap();
            let kept = consumer.status().await.unwrap().position.get();
            assert_eq!(kept, position, "after intake {answered}");
        }
    }

    #[tokio::test]
    async fn what_is_given_back_comes_again() {
        let (connector, _consumer) = opened().await;
        let first = polled(&connector).await;
        polled(&connector).await;
        connector.ack(first).await.unwrap();
        let why = StageError::unavailable("away");
        connector.nack(IntakeReceipt(2), &why).await.unwrap();
        assert_eq!(polled(&connector).await, IntakeReceipt(2));
    }
}
