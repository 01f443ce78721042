//! A pipeline at work: what its parts share.

use std::sync::Arc;

use efflux_storage::particle::ConsumerName;

use super::load::Taken;
use super::options::{Order, PipelineOptions};
use super::outage::Outage;
use super::pace::Pace;
use crate::aggregate::Aggregate;
use crate::chain::{Chain, Failure};
use crate::connector::{Connector, Intake, IntakeReceipt};
use crate::counters::{Count, Counters};
use crate::dead_letter::DeadLetters;
use crate::parcel::Parcel;
use crate::policy::Then;
use crate::port::{Kept, Port, Reader};
use crate::stage::Stage;
use crate::stage_error::StageError;
use crate::step_name::StepName;

/// Where a pipeline stopped, and why.
pub(super) type Stopped = (Stage, StageError);

#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: ConsumerName,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) reader: Reader,
    /// What the port said when it was opened.
    pub(super) position: Kept,
    /// The sequence before the first message, when the port is to be told.
    pub(super) begins: Option<u64>,
    pub(super) before: Chain,
    pub(super) gather: Option<(StepName, Aggregate)>,
    pub(super) behind: Chain,
    pub(super) port: Arc<dyn Port>,
    pub(super) options: PipelineOptions,
    /// How many messages a second are delivered, over all deliveries.
    pub(super) pace: Option<Pace>,
    pub(super) dead_letters: Option<DeadLetters>,
    pub(super) counters: Arc<Counters>,
}

impl Line {
    /// How many deliveries may go on at once.
    pub(super) fn deliveries_max(&self) -> usize {
        let is_apart = self.connector.keeps_groups_apart();
        match self.options.order {
            _ if matches!(self.position, Kept::Position(_)) => 1,
            Order::ByGroup if is_apart => self.options.in_flight,
            Order::None => self.options.in_flight,
            Order::ByGroup | Order::Strict => 1,
        }
    }

    /// Why nothing more can be taken through the steps, if that is so.
    pub(super) fn stuck(&self) -> Option<Stopped> {
        self.before.stuck()
    }

    /// Takes an intake in: its messages. What its connector refused is settled.
    pub(super) async fn take_in(&self, intake: Intake) -> Result<Vec<Parcel>, Stopped> {
        let received = intake.parcels.len() + intake.refused.len();
        self.counters.add(Count::Received, received);
        let refused = intake.refused.into_iter().map(|(message, error)| {
            let parcel = Parcel::of_message(message);
            Failure::new(parcel, Stage::Connector, error)
        });
        self.settle(refused.collect()).await?;
        Ok(intake.parcels)
    }

    /// What becomes of messages before they are gathered or delivered, and the messages that are left
    /// for later because these became so much. What failed is settled.
    pub(super) async fn take_through(
        &self,
        receipt: IntakeReceipt,
        parcels: Vec<Parcel>,
    ) -> Result<Taken, Stopped> {
        let seed = self.options.seed ^ receipt.0;
        let outcome = self.before.apply(parcels, seed).await?;
        self.counters.add(Count::Filtered, outcome.filtered);
        let has_failures = !outcome.failures.is_empty();
        self.settle(outcome.failures).await?;
        Ok(Taken {
            receipt,
            parcels: outcome.parcels,
            rest: outcome.rest,
            has_failures,
        })
    }

    /// What becomes of messages behind the aggregate; those that are left for later because these
    /// became so much stay. What failed is settled.
    pub(super) async fn take_behind(
        &self,
        parcels: &mut Vec<Parcel>,
    ) -> Result<Vec<Parcel>, Stopped> {
        let outcome = self
            .behind
            .apply(std::mem::take(parcels), self.options.seed);
        let outcome = outcome.await?;
        self.counters.add(Count::Filtered, outcome.filtered);
        self.settle(outcome.failures).await?;
        *parcels = outcome.rest;
        match self.behind.stuck() {
            Some(stopped) => Err(stopped),
            None => Ok(outcome.parcels),
        }
    }

    /// Does with what failed for good as the policy says.
    pub(super) async fn settle(&self, failures: Vec<Failure>) -> Result<(), Stopped> {
        let Some(last) = failures.last() else {
            return Ok(());
        };
        self.counters
            .tell(format!("{}: {}", last.stage, last.error));
        for failure in &failures {
            tracing::warn!(
                pipeline = %self.name,
                stage = %failure.stage,
                attempts = failure.attempts,
                error = %failure.error,
                "a message failed"
            );
        }
        match (self.options.policy.then, &self.dead_letters) {
            (Then::Skip, _) | (Then::DeadLetter, None) => {
                self.counters.add(Count::Skipped, failures.len());
                Ok(())
            }
            (Then::Stop, _) => {
                let first = failures.into_iter().next();
                first.map_or(Ok(()), |failure| Err((failure.stage, failure.error)))
            }
            (Then::DeadLetter, Some(letters)) => self.bury(letters, failures).await,
        }
    }

    async fn bury(&self, letters: &DeadLetters, failures: Vec<Failure>) -> Result<(), Stopped> {
        let mut outage = Outage::new(&self.name, &self.options);
        while let Err(error) = letters.bury(&failures).await {
            let reason = format!("the dead-letter topic {}: {error}", letters.name());
            let error = match StageError::from(error) {
                StageError::Unavailable { .. } => StageError::unavailable(reason),
                _ => return Err((Stage::Port, StageError::fatal(reason))),
            };
            let waited = outage.wait(error, &self.counters).await;
            waited.map_err(|error| (Stage::Port, error))?;
        }
        self.counters.add(Count::DeadLettered, failures.len());
        Ok(())
    }
}
