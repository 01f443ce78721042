//! The particles of a topic, leased through a consumer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use efflux_storage::particle::{Sequence, TopicName};
use efflux_storage::{Consumer, Delivery, ErrorKind, Ticket};
use parking_lot::Mutex;
use tokio::time::sleep;

use super::{Connector, Intake, IntakeMax, IntakeReceipt};
use crate::dead_letter;
use crate::parcel::Parcel;
use crate::stage_error::StageError;

/// How long one receive waits: 30 s. Then it is called again.
const WAIT: Duration = Duration::from_secs(30);
/// How long it waits for dead letters, while others of them are under way.
const LETTERS_WAIT: Duration = Duration::from_secs(1);
/// How long what was not delivered stays away: not at all. Who fails again waits by the policy.
const DELAY: Duration = Duration::ZERO;

/// The particles of a topic, leased through a consumer.
///
/// Any number of pipelines, in any number of processes, share the work of one consumer. Of each
/// message group, one particle is under way at a time. An `ack` commits the tickets of an intake;
/// what was not acknowledged when a process ends comes again when its lease is over.
#[derive(Debug)]
pub struct TopicConnector {
    consumer: Consumer,
    topic: TopicName,
    lease: Duration,
    numbers: AtomicU64,
    open: Mutex<HashMap<IntakeReceipt, Vec<Ticket>>>,
    /// Whether the particles are dead letters that go back to a pipeline.
    returning: Option<Returning>,
}

/// Which dead letters go back.
#[derive(Debug)]
struct Returning {
    pipeline: String,
    /// The last letter: what fails again lies behind it, and does not go round in circles.
    until: Sequence,
}

impl TopicConnector {
    /// What this consumer delivers.
    ///
    /// # Errors
    /// As for [`Consumer::status`].
    pub async fn new(consumer: Consumer) -> Result<Self, StageError> {
        let lease = consumer.status().await?.options.lease;
        Ok(Self {
            topic: consumer.topic_name().clone(),
            consumer,
            lease,
            numbers: AtomicU64::new(0),
            open: Mutex::default(),
            returning: None,
        })
    }

    /// The dead letters of this pipeline up to `until`, as the messages that they tell of: each goes
    /// on with the stage that failed, and the source ends behind the last. The consumer is one of the
    /// dead-letter topic; the letters of other pipelines are left alone.
    #[must_use]
    pub fn returning_to(mut self, pipeline: impl Into<String>, until: Sequence) -> Self {
        self.returning = Some(Returning {
            pipeline: pipeline.into(),
            until,
        });
        self
    }

    /// The next deliveries; none when all letters that go back are settled.
    async fn receive(&self, max: usize) -> Result<Option<Vec<Delivery>>, StageError> {
        loop {
            let Some(Returning { until, .. }) = &self.returning else {
                let received = self.consumer.receive(max, WAIT).await?;
                if received.is_empty() {
                    continue;
                }
                return Ok(Some(received));
            };
            if self.consumer.status().await?.position > *until {
                return Ok(None);
            }
            let received = self.consumer.receive(max, LETTERS_WAIT).await?;
            let (letters, later): (Vec<_>, Vec<_>) = received
                .into_iter()
                .partition(|it| it.particle.sequence() <= *until);
            let later: Vec<_> = later.into_iter().map(|delivery| delivery.ticket).collect();
            if !later.is_empty() {
                self.consumer.rollback(&later, DELAY).await?;
                if letters.is_empty() {
                    sleep(LETTERS_WAIT).await;
                }
            }
            if !letters.is_empty() {
                return Ok(Some(letters));
            }
        }
    }

    fn tickets(&self, receipt: IntakeReceipt) -> Option<Vec<Ticket>> {
        self.open.lock().get(&receipt).cloned()
    }
}

#[async_trait]
impl Connector for TopicConnector {
    async fn poll(&self, max: IntakeMax) -> Result<Option<Intake>, StageError> {
        let Some(deliveries) = self.receive(max.messages).await? else {
            return Ok(None);
        };
        let receipt = IntakeReceipt(self.numbers.fetch_add(1, Ordering::Relaxed));
        let tickets = deliveries.iter().map(|delivery| delivery.ticket).collect();
        self.open.lock().insert(receipt, tickets);
        let mut intake = Intake::new(receipt, []);
        for delivery in deliveries {
            let particle = delivery.particle;
            let Some(Returning { pipeline, .. }) = &self.returning else {
                let parcel = Parcel::of_particle(self.topic.clone(), particle);
                intake.parcels.push(parcel);
                continue;
            };
            let is_its = particle.metadata().property(dead_letter::ERROR_PIPELINE)
                == Some(pipeline.as_str());
            if is_its {
                match dead_letter::returned(&particle) {
                    Ok(parcel) => intake.parcels.push(parcel),
                    Err(error) => intake.refused.push(((&particle).into(), error)),
                }
            }
        }
        Ok(Some(intake))
    }

    async fn ack(&self, receipt: IntakeReceipt) -> Result<(), StageError> {
        let Some(tickets) = self.tickets(receipt) else {
            return Ok(());
        };
        let committed = self.consumer.commit(&tickets).await;
        self.open.lock().remove(&receipt);
        match committed {
            // One lease was lost, and the others need not come again for that.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                for ticket in tickets {
                    let _ = self.consumer.commit(&[ticket]).await;
                }
                Err(StageError::unavailable(error))
            }
            committed => Ok(committed?),
        }
    }

    async fn nack(&self, receipt: IntakeReceipt, _why: &StageError) -> Result<(), StageError> {
        let tickets = self.open.lock().remove(&receipt);
        if let Some(tickets) = tickets {
            self.consumer.rollback(&tickets, DELAY).await?;
        }
        Ok(())
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.lease)
    }

    async fn extend(&self, receipts: &[IntakeReceipt]) -> Result<(), StageError> {
        let held: Vec<Ticket> = {
            let open = self.open.lock();
            let tickets = receipts.iter().filter_map(|receipt| open.get(receipt));
            tickets.flatten().copied().collect()
        };
        if held.is_empty() {
            return Ok(());
        }
        match self.consumer.extend(&held, self.lease).await {
            // One lease was lost, and the others go on.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                for ticket in held {
                    let _ = self.consumer.extend(&[ticket], self.lease).await;
                }
                Err(StageError::unavailable(error))
            }
            extended => Ok(extended?),
        }
    }

    fn keeps_groups_apart(&self) -> bool {
        true
    }

    async fn waits_for_others(&self) -> Result<bool, StageError> {
        // Letters that go back are counted: the source ends by itself.
        if self.returning.is_some() {
            return Ok(false);
        }
        Ok(self.consumer.status().await?.lag > 0)
    }
}
