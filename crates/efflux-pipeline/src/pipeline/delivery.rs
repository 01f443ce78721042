//! Delivers messages to the port, as often as the policy says.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use efflux_storage::particle::{ConsumerName, Particle};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep, timeout};

use super::line::{Line, Stopped};
use super::options::PipelineOptions;
use crate::backoff::Backoff;
use crate::chain::Failure;
use crate::counters::{Count, Counters};
use crate::parcel::Parcel;
use crate::policy::Retry;
use crate::port::{Advance, Batch, Failed, Kept};
use crate::stage::Stage;
use crate::stage_error::StageError;

/// Waits while a target is away, up to the time that the policy gives it.
#[derive(Debug)]
pub(super) struct Outage<'a> {
    pipeline: &'a ConsumerName,
    retry: Retry,
    backoff: Backoff,
    since: Option<Instant>,
}

impl<'a> Outage<'a> {
    pub(super) const fn new(pipeline: &'a ConsumerName, options: &PipelineOptions) -> Self {
        Self {
            pipeline,
            retry: options.policy.retry,
            backoff: Backoff::new(options.policy.retry, options.seed),
            since: None,
        }
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// The error itself when the target has been away for too long.
    pub(super) async fn wait(
        &mut self,
        error: StageError,
        counters: &Counters,
    ) -> Result<(), StageError> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let asked = match &error {
            StageError::Unavailable { after, .. } => *after,
            _ => None,
        };
        if self
            .retry
            .outage
            .is_some_and(|most| since.elapsed() >= most)
        {
            return Err(error);
        }
        tracing::warn!(
            pipeline = %self.pipeline,
            error = %error,
            failures = self.backoff.failures() + 1,
            "trying again"
        );
        counters.add(Count::Retries, 1);
        counters.tell(error.to_string());
        sleep(self.backoff.next(asked)).await;
        Ok(())
    }

    pub(super) const fn over(&mut self) {
        self.since = None;
        self.backoff.reset();
    }
}

/// Messages that are delivered together.
#[derive(Debug)]
struct Delivery<'a> {
    line: &'a Line,
    rest: Vec<Parcel>,
    position: Option<Advance>,
    outage: Outage<'a>,
    /// Failures of messages by themselves.
    backoff: Backoff,
}

/// Delivers messages; returns when each is delivered, or settled as the policy says.
pub(super) async fn deliver(
    line: &Line,
    parcels: Vec<Parcel>,
    position: Option<Advance>,
) -> Result<(), Stopped> {
    let parcels = line.take_behind(parcels).await?;
    let Some(rate) = line.options.rate_max else {
        return Delivery::new(line, parcels, position).finish().await;
    };
    // A tenth of a second's messages at once, so that the pace is even. What a position belongs to is
    // one transaction, and goes at once.
    let tenth = usize::try_from(rate / 10).unwrap_or(usize::MAX).max(1);
    let most = position.map_or(tenth, |_| usize::MAX);
    let mut parcels = parcels.into_iter().peekable();
    loop {
        let part: Vec<_> = parcels.by_ref().take(most).collect();
        let count = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let is_last = parcels.peek().is_none();
        let begun = Instant::now();
        Delivery::new(line, part, position).finish().await?;
        let pace = Duration::from_secs(1).saturating_mul(count) / rate;
        sleep(pace.saturating_sub(begun.elapsed())).await;
        if is_last {
            return Ok(());
        }
    }
}

impl<'a> Delivery<'a> {
    fn new(line: &'a Line, rest: Vec<Parcel>, position: Option<Advance>) -> Self {
        let options = &line.options;
        Self {
            line,
            rest,
            position,
            outage: Outage::new(&line.name, options),
            backoff: Backoff::new(options.policy.retry, options.seed),
        }
    }

    async fn finish(mut self) -> Result<(), Stopped> {
        while !self.rest.is_empty() || self.position.is_some() {
            match self.attempt().await {
                Ok(()) => {
                    self.line.counters.add(Count::Delivered, self.rest.len());
                    return Ok(());
                }
                Err(Failed::Whole(error)) => self.whole(error).await?,
                Err(Failed::Parts(parts)) => {
                    self.outage.over();
                    let delivered = self.rest.len().saturating_sub(parts.len());
                    self.line.counters.add(Count::Delivered, delivered);
                    self.parts(parts, true).await?;
                }
                Err(Failed::Refused(parts)) => self.parts(parts, false).await?,
            }
        }
        Ok(())
    }

    async fn attempt(&self) -> Result<(), Failed> {
        let batch = Batch {
            parcels: &self.rest,
            position: self.position,
        };
        let limit = match self.line.port.times_each_message() {
            true => Duration::MAX,
            false => self.line.options.policy.delivery_timeout,
        };
        let work = AssertUnwindSafe(self.line.port.deliver(batch)).catch_unwind();
        match timeout(limit, work).await {
            Ok(Ok(delivered)) => delivered,
            Ok(Err(panic)) => {
                let told = crate::chain::told(&*panic);
                Err(StageError::rejected(told).into())
            }
            Err(_) => Err(StageError::unavailable(format!("it took longer than {limit:?}")).into()),
        }
    }

    /// Nothing was delivered.
    async fn whole(&mut self, error: StageError) -> Result<(), Stopped> {
        match error {
            StageError::Fatal(_) => Err((Stage::Port, error)),
            StageError::Unavailable { .. } => {
                let waited = self.outage.wait(error, &self.line.counters).await;
                waited.map_err(|error| (Stage::Port, error))?;
                self.look_again().await
            }
            StageError::Rejected(_) if self.rest.is_empty() => {
                Err((Stage::Port, StageError::fatal(error.reason())))
            }
            StageError::Rejected(_) if self.rest.len() == 1 => self.refuse(&error).await,
            // One of them is to blame: the halves tell which, in their order.
            StageError::Rejected(_) if self.position.is_none() => {
                let behind = self.rest.split_off(self.rest.len() / 2);
                let first = std::mem::replace(&mut self.rest, behind);
                Box::pin(Delivery::new(self.line, first, None).finish()).await
            }
            StageError::Rejected(_) => match self.split_at_particle() {
                Some((first, position)) => {
                    Box::pin(Delivery::new(self.line, first, Some(position)).finish()).await
                }
                None => self.refuse(&error).await,
            },
        }
    }

    /// Settles all of them as rejected.
    async fn refuse(&mut self, error: &StageError) -> Result<(), Stopped> {
        let reason = error.reason();
        let failures = std::mem::take(&mut self.rest).into_iter();
        let failures = failures
            .map(|parcel| Failure::new(parcel, Stage::Port, StageError::rejected(reason.clone())));
        self.line.settle(failures.collect()).await
    }

    /// Takes off what became of the first particles, about a half, with the position behind them; none
    /// when all became of one.
    fn split_at_particle(&mut self) -> Option<(Vec<Parcel>, Advance)> {
        let whole = self.position?;
        let sequence = |parcel: &Parcel| parcel.origin().particle().map(Particle::sequence);
        let begins = |at: &usize| {
            let before = at.checked_sub(1).and_then(|before| self.rest.get(before));
            before.map(sequence) != self.rest.get(*at).map(sequence)
        };
        let half = self.rest.len() / 2;
        let at = (half..self.rest.len()).find(begins);
        let at = at.or_else(|| (1..half).rev().find(begins))?;
        let reached = self.rest.get(at).and_then(sequence)?.previous()?.get();
        let behind = self.rest.split_off(at);
        let first = std::mem::replace(&mut self.rest, behind);
        self.position = Some(Advance {
            from: Some(reached),
            to: whole.to,
        });
        let first_position = Advance {
            from: whole.from,
            to: reached,
        };
        Some((first, first_position))
    }

    /// Opens the port again: where the connection was lost in the middle, the position tells whether
    /// the batch was delivered.
    async fn look_again(&mut self) -> Result<(), Stopped> {
        let limit = self.line.options.policy.delivery_timeout;
        // Who hangs here is asked again before the next try.
        let Ok(opened) = timeout(limit, self.line.port.open(&self.line.reader)).await else {
            return Ok(());
        };
        let (found, position) = match (opened, self.position) {
            (Ok(Kept::Position(found)), Some(position)) => (found, position),
            (Err(error), _) if !error.is_retryable() => return Err((Stage::Port, error)),
            _ => return Ok(()),
        };
        if found == Some(position.to) {
            self.line.counters.add(Count::Delivered, self.rest.len());
            self.rest.clear();
            self.position = None;
        } else if found != position.from {
            return Err((Stage::Port, moved_by_another(position, found)));
        }
        Ok(())
    }

    /// These were not delivered; the others were, or will be without them.
    async fn parts(
        &mut self,
        parts: Vec<(usize, StageError)>,
        others_are_delivered: bool,
    ) -> Result<(), Stopped> {
        let attempts = self.backoff.failures() + 1;
        let mut parts = parts.into_iter().peekable();
        let (mut again, mut failures, mut asked) = (Vec::new(), Vec::new(), None);
        for (at, parcel) in std::mem::take(&mut self.rest).into_iter().enumerate() {
            let Some((_, error)) = parts.next_if(|(failed, _)| *failed == at) else {
                if !others_are_delivered {
                    again.push(parcel);
                }
                continue;
            };
            match error {
                StageError::Fatal(_) => return Err((Stage::Port, error)),
                StageError::Unavailable { after, .. }
                    if attempts < self.line.options.policy.retry.attempts =>
                {
                    asked = asked.max(Some(after));
                    again.push(parcel);
                }
                error => {
                    let mut failure = Failure::new(parcel, Stage::Port, error);
                    failure.attempts = attempts;
                    failures.push(failure);
                }
            }
        }
        self.rest = again;
        self.line.settle(failures).await?;
        if let Some(asked) = asked {
            self.line.counters.add(Count::Retries, 1);
            sleep(self.backoff.next(asked)).await;
        }
        Ok(())
    }
}

fn moved_by_another(position: Advance, found: Option<u64>) -> StageError {
    let told = |sequence: Option<u64>| match sequence {
        Some(sequence) => sequence.to_string(),
        None => "the beginning".to_owned(),
    };
    StageError::fatal(format!(
        "the port's position was {} and is {}: another process delivers for the same pipeline",
        told(position.from),
        told(found),
    ))
}
