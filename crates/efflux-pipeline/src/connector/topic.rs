//! The particles of a topic, leased through a consumer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use efflux_storage::particle::TopicName;
use efflux_storage::{Consumer, Delivery, ErrorKind, Ticket};
use parking_lot::Mutex;

use super::{Connector, Intake, IntakeMax, IntakeReceipt};
use crate::parcel::Parcel;
use crate::stage_error::StageError;

/// How long one receive waits: 30 s. Then it is called again.
const WAIT: Duration = Duration::from_secs(30);
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
        })
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, StageError> {
        loop {
            let received = self.consumer.receive(max, WAIT).await?;
            if !received.is_empty() {
                return Ok(received);
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
        let deliveries = self.receive(max.messages).await?;
        let receipt = IntakeReceipt(self.numbers.fetch_add(1, Ordering::Relaxed));
        let tickets = deliveries.iter().map(|delivery| delivery.ticket).collect();
        self.open.lock().insert(receipt, tickets);
        let mut intake = Intake::new(receipt, []);
        let particles = deliveries.into_iter().map(|delivery| delivery.particle);
        intake.parcels = particles
            .map(|particle| Parcel::of_particle(self.topic.clone(), particle))
            .collect();
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
        Ok(self.consumer.status().await?.lag > 0)
    }
}
