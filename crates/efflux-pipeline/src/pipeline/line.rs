//! A pipeline at work: what its parts share.

use std::sync::Arc;

use efflux_storage::particle::ConsumerName;

use super::delivery::Outage;
use super::options::{Order, PipelineOptions};
use crate::aggregate::Aggregate;
use crate::chain::{Chain, Failure, Outcome};
use crate::connector::{Connector, Intake};
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
    pub(super) before: Chain,
    pub(super) gather: Option<(StepName, Aggregate)>,
    pub(super) behind: Chain,
    pub(super) port: Arc<dyn Port>,
    pub(super) options: PipelineOptions,
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

    /// What becomes of an intake before it is gathered or delivered. What failed is settled.
    pub(super) async fn take_through(&self, intake: Intake) -> Result<Vec<Parcel>, Stopped> {
        let received = intake.parcels.len() + intake.refused.len();
        self.counters.add(Count::Received, received);
        let mut failures = Vec::new();
        for (message, error) in intake.refused {
            let parcel = Parcel::of_message(message);
            failures.push(Failure::new(parcel, Stage::Connector, error));
        }
        let seed = self.options.seed ^ intake.receipt.0;
        let outcome = self.before.apply(intake.parcels, seed).await?;
        failures.extend(outcome.failures);
        self.counters.add(Count::Filtered, outcome.filtered);
        self.settle(failures).await?;
        Ok(outcome.parcels)
    }

    /// What becomes of messages behind the aggregate. What failed is settled.
    pub(super) async fn take_behind(&self, parcels: Vec<Parcel>) -> Result<Vec<Parcel>, Stopped> {
        if self.gather.is_none() {
            return Ok(parcels);
        }
        let Outcome {
            parcels,
            failures,
            filtered,
        } = self.behind.apply(parcels, self.options.seed).await?;
        self.counters.add(Count::Filtered, filtered);
        self.settle(failures).await?;
        Ok(parcels)
    }

    /// Does with what failed for good as the policy says.
    pub(super) async fn settle(&self, failures: Vec<Failure>) -> Result<(), Stopped> {
        let Some(first) = failures.first() else {
            return Ok(());
        };
        self.counters
            .tell(format!("{}: {}", first.stage, first.error));
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
        let mut outage = Outage::new(&self.options);
        while let Err(error) = letters.bury(&failures).await {
            let reason = format!("the dead-letter topic {}: {error}", letters.name());
            let error = match StageError::from(error) {
                StageError::Unavailable { .. } => StageError::unavailable(reason),
                _ => return Err((Stage::Port, StageError::fatal(reason))),
            };
            let waited = outage.wait(error, Some(&self.counters)).await;
            waited.map_err(|error| (Stage::Port, error))?;
        }
        self.counters.add(Count::DeadLettered, failures.len());
        Ok(())
    }
}
