//! Delivers messages to the port, as often as the policy says.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{sleep, timeout};

use super::line::{Line, Stopped};
use super::outage::Outage;
use crate::backoff::Backoff;
use crate::chain::Failure;
use crate::counters::Count;
use crate::parcel::Parcel;
use crate::port::{Advance, Batch, Failed, Kept};
use crate::stage::Stage;
use crate::stage_error::StageError;

/// Messages that are delivered together.
#[derive(Debug)]
struct Delivery<'a> {
    line: &'a Line,
    rest: Vec<Parcel>,
    /// How often each of the rest failed by itself.
    tries: Vec<u32>,
    position: Option<Advance>,
    outage: Outage<'a>,
    /// Failures of messages by themselves.
    backoff: Backoff,
    /// How many messages the pipeline had delivered when this failed last, or began.
    delivered_before: u64,
    /// How often all of it failed while other messages were delivered.
    blamed: u32,
}

/// Delivers messages; returns when each is delivered, or settled as the policy says.
pub(super) async fn deliver(
    line: &Line,
    parcels: Vec<Parcel>,
    position: Option<Advance>,
) -> Result<(), Stopped> {
    if line.gather.is_none() {
        return at_pace(line, parcels, position).await;
    }
    // Behind an aggregate no port keeps the position. What becomes much is delivered piece by piece.
    let mut rest = parcels;
    while !rest.is_empty() {
        let made = line.take_behind(&mut rest).await?;
        at_pace(line, made, None).await?;
    }
    Ok(())
}

/// Delivers messages as fast as the rate allows.
async fn at_pace(
    line: &Line,
    parcels: Vec<Parcel>,
    position: Option<Advance>,
) -> Result<(), Stopped> {
    let Some(pace) = &line.pace else {
        return Delivery::new(line, parcels, position).finish().await;
    };
    // What a position belongs to is one transaction, and goes at once.
    let most = position.map_or(pace.at_once(), |_| usize::MAX);
    let mut parcels = parcels.into_iter().peekable();
    loop {
        let part: Vec<_> = parcels.by_ref().take(most).collect();
        let is_last = parcels.peek().is_none();
        pace.wait(part.len()).await;
        Delivery::new(line, part, position).finish().await?;
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
            tries: vec![0; rest.len()],
            rest,
            position,
            outage: Outage::new(&line.name, options),
            backoff: Backoff::new(options.policy.retry, options.seed),
            delivered_before: line.counters.delivered(),
            blamed: 0,
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
                Err(Failed::Parts(mut parts)) => {
                    parts.sort_by_key(|(at, _)| *at);
                    self.outage.over();
                    let delivered = self.rest.len().saturating_sub(parts.len());
                    self.line.counters.add(Count::Delivered, delivered);
                    self.delivered_before = self.line.counters.delivered();
                    self.parts(parts, true).await?;
                }
                Err(Failed::Refused(parts)) if parts.is_empty() => {
                    let told = "the port refuses a batch, and none of its messages";
                    return Err((Stage::Port, StageError::fatal(told)));
                }
                Err(Failed::Refused(mut parts)) => {
                    parts.sort_by_key(|(at, _)| *at);
                    self.parts(parts, false).await?;
                }
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
            StageError::Unavailable { .. } if self.is_to_blame() => self.refuse(&error).await,
            StageError::Unavailable { .. } => {
                let waited = self.outage.wait(error, &self.line.counters).await;
                waited.map_err(|error| (Stage::Port, error))?;
                self.look_again().await
            }
            StageError::Rejected(_) if self.rest.is_empty() => {
                Err((Stage::Port, StageError::fatal(error.reason())))
            }
            StageError::Rejected(_) => self.refuse(&error).await,
        }
    }

    /// Whether the messages are to blame for it that all of them failed: others get through, again
    /// and again. It is not asked of a batch with a position, beside which none is delivered.
    fn is_to_blame(&mut self) -> bool {
        let delivered = self.line.counters.delivered();
        let others_got_through = delivered > self.delivered_before;
        self.delivered_before = delivered;
        self.blamed += u32::from(others_got_through && self.position.is_none());
        self.blamed >= self.line.options.policy.retry.attempts
    }

    /// One of them is to blame: the halves tell which, in their order. One by itself is settled.
    async fn refuse(&mut self, error: &StageError) -> Result<(), Stopped> {
        let halved = match self.position {
            None => self.halved().map(|first| (first, None)),
            Some(_) if self.rest.len() < 2 => None,
            Some(_) => self
                .split_at_particle()
                .map(|(first, position)| (first, Some(position))),
        };
        if let Some((first, position)) = halved {
            self.tries = vec![0; self.rest.len()];
            self.blamed = 0;
            return Box::pin(Delivery::new(self.line, first, position).finish()).await;
        }
        let attempts = self.blamed.max(1);
        let failures = std::mem::take(&mut self.rest).into_iter();
        let failures = failures.map(|parcel| {
            let mut failure = Failure::new(parcel, Stage::Port, error.again());
            failure.attempts = attempts;
            failure
        });
        self.line.settle(failures.collect()).await
    }

    /// Takes off the first half; none of one message.
    fn halved(&mut self) -> Option<Vec<Parcel>> {
        let half = self.rest.len() / 2;
        if half == 0 {
            return None;
        }
        let behind = self.rest.split_off(half);
        Some(std::mem::replace(&mut self.rest, behind))
    }

    /// Takes off what became of the first particles, about a half, with the position behind them; none
    /// when all became of one.
    fn split_at_particle(&mut self) -> Option<(Vec<Parcel>, Advance)> {
        let whole = self.position?;
        let begins = |at: &usize| {
            let before = at.checked_sub(1).and_then(|before| self.rest.get(before));
            before.map(Parcel::place) != self.rest.get(*at).map(Parcel::place)
        };
        let half = self.rest.len() / 2;
        let at = (half..self.rest.len()).find(begins);
        let at = at.or_else(|| (1..half).rev().find(begins))?;
        let reached = self.rest.get(at).and_then(Parcel::place)?.previous()?.get();
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
        if found == Some(position.to) && position.from != found {
            self.line.counters.add(Count::Delivered, self.rest.len());
            self.rest.clear();
            self.position = None;
        } else if found != position.from {
            return Err((Stage::Port, moved_by_another(position, found)));
        }
        Ok(())
    }

    /// These were not delivered; the others were, or will be without them.
    ///
    /// Of a message group only the first that is unavailable was tried: those behind it waited. Of
    /// others the port says so.
    async fn parts(
        &mut self,
        parts: Vec<(usize, StageError)>,
        others_are_delivered: bool,
    ) -> Result<(), Stopped> {
        let attempts_max = self.line.options.policy.retry.attempts;
        let mut parts = parts.into_iter().peekable();
        let mut held = HashSet::new();
        let (mut again, mut failures, mut asked) = (Vec::new(), Vec::new(), None);
        let rest = std::mem::take(&mut self.rest).into_iter();
        for (at, (parcel, mut tries)) in rest.zip(std::mem::take(&mut self.tries)).enumerate() {
            let Some((_, error)) = parts.next_if(|(failed, _)| *failed == at) else {
                if !others_are_delivered {
                    again.push((parcel, tries));
                }
                continue;
            };
            if matches!(error, StageError::Fatal(_)) {
                return Err((Stage::Port, error));
            }
            if let StageError::Unavailable { after, .. } = &error {
                let group = parcel.message.message_group().map(ToOwned::to_owned);
                let waited = group.is_some_and(|group| !held.insert(group)) || error.is_untried();
                tries += u32::from(!waited);
                asked = asked.max(Some(*after));
                if waited || tries < attempts_max {
                    again.push((parcel, tries));
                    continue;
                }
            }
            let mut failure = Failure::new(parcel, Stage::Port, error);
            failure.attempts = tries.max(1);
            failures.push(failure);
        }
        (self.rest, self.tries) = again.into_iter().unzip();
        self.line.settle(failures).await?;
        if let Some(asked) = asked.filter(|_| !self.rest.is_empty()) {
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
