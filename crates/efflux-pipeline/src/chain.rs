//! Takes messages through the steps of a pipeline.

mod immediate;
mod outcome;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{sleep, timeout};

use self::immediate::Job;
pub(crate) use self::immediate::told;
pub(crate) use self::outcome::{Failure, Outcome};
use crate::backoff::Backoff;
use crate::emit::Emit;
use crate::limits::{AWAITED_MAX, HUNG_THREADS_MAX, SLICE_BYTES};
use crate::parcel::Parcel;
use crate::policy::Policy;
use crate::stage::Stage;
use crate::stage_error::StageError;
use crate::step::{Step, StepWork};
use crate::step_name::StepName;
use crate::transform::AsyncTransform;

/// Steps that messages go through one after the other, none of which makes one message of many.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    steps: Arc<[Step]>,
    /// Steps of the pipeline that come before these, and behind them.
    before: Vec<StepName>,
    behind: Vec<StepName>,
    policy: Policy,
    /// How much messages may become before the others are left for later.
    slice_bytes: usize,
    /// Threads that were left behind in a step that hangs.
    hung: Arc<AtomicUsize>,
    /// The step in which one more was left behind than may be, and what is said of it.
    stuck: Arc<OnceLock<(Stage, String)>>,
}

impl Chain {
    pub(crate) fn new(steps: Vec<Step>, policy: Policy) -> Self {
        Self {
            steps: steps.into(),
            before: Vec::new(),
            behind: Vec::new(),
            policy,
            slice_bytes: SLICE_BYTES,
            hung: Arc::default(),
            stuck: Arc::default(),
        }
    }

    /// Says which steps the pipeline has beside these: a message that goes on with one before them
    /// goes through all of these, and one that goes on behind them through none.
    pub(crate) fn between(mut self, before: Vec<StepName>, behind: Vec<StepName>) -> Self {
        self.before = before;
        self.behind = behind;
        self
    }

    /// Sets how much messages may become before the others are left for later.
    pub(crate) const fn in_slices_of(mut self, bytes: usize) -> Self {
        self.slice_bytes = bytes;
        self
    }

    /// Whether messages may become more than they are.
    pub(crate) fn expands(&self) -> bool {
        self.steps.iter().any(Step::expands)
    }

    /// How many messages hung in these steps.
    pub(crate) fn hung(&self) -> usize {
        self.hung.load(Ordering::Relaxed)
    }

    /// Why no further message can be taken through: too many hung. What hung was rejected.
    pub(crate) fn stuck(&self) -> Option<(Stage, StageError)> {
        let (stage, reason) = self.stuck.get()?;
        Some((stage.clone(), StageError::fatal(reason.clone())))
    }

    /// Whether a message goes on behind these steps.
    pub(crate) fn is_passed_by(&self, parcel: &Parcel) -> bool {
        match parcel.entry() {
            None | Some(Stage::Connector) => false,
            Some(Stage::Port) => true,
            Some(Stage::Step(name)) => self.behind.contains(name),
        }
    }

    /// What becomes of messages, in their order. When the first of them become much, the others are
    /// left for later.
    ///
    /// # Errors
    /// The stage and the error after which nothing can go on.
    pub(crate) async fn apply(
        &self,
        parcels: Vec<Parcel>,
        seed: u64,
    ) -> Result<Outcome, (Stage, StageError)> {
        let mut all = Outcome::default();
        let mut underway = self.entering(parcels, &mut all);
        let mut at = 0;
        while let Some(step) = self.steps.get(at) {
            let end = self.block_end(at);
            let mut here = Vec::new();
            // What enters behind these steps keeps its place among the others.
            let mut places = Vec::with_capacity(underway.len());
            for (entry, parcel) in underway {
                if entry < end {
                    here.push((entry, parcel));
                    places.push(None);
                } else {
                    places.push(Some((entry, parcel)));
                }
            }
            let begun = match &step.work {
                StepWork::Await(transform) => self.awaited(step, transform, here, seed).await?,
                _ => self.immediate(at, end, here, seed).await?,
            };
            underway = self.merged(begun, places, end, &mut all);
            at = end;
        }
        all.parcels = underway.into_iter().map(|(_, parcel)| parcel).collect();
        Ok(all)
    }

    /// What goes on behind steps: what became of the messages that were taken through them, and those
    /// that enter later, in order. Everything behind the first that was left stays with it.
    fn merged(
        &self,
        begun: Begun,
        places: Vec<Option<(usize, Parcel)>>,
        end: usize,
        all: &mut Outcome,
    ) -> Vec<(usize, Parcel)> {
        let mut outcomes = begun.outcomes.into_iter();
        let mut rest = begun.rest.into_iter();
        let (mut underway, mut left) = (Vec::with_capacity(places.len()), Vec::new());
        for place in places {
            match place {
                Some(later) if left.is_empty() => underway.push(later),
                Some(later) => left.push(later),
                None => match outcomes.next() {
                    None => left.extend(rest.next()),
                    Some(outcome) => {
                        let made = outcome.parcels.into_iter();
                        underway.extend(made.map(|parcel| (end, parcel)));
                        all.failures.extend(outcome.failures);
                        all.filtered += outcome.filtered;
                    }
                },
            }
        }
        let left = left
            .into_iter()
            .map(|(entry, parcel)| self.parked(entry, parcel));
        all.rest.splice(0..0, left);
        underway
    }

    /// A message that was left before this step, and goes on with it.
    fn parked(&self, at: usize, parcel: Parcel) -> Parcel {
        match self.steps.get(at) {
            Some(step) if at > 0 => parcel.going_on_with(Stage::Step(step.name.clone())),
            _ => parcel,
        }
    }

    /// The messages, each with the number of the step that it goes on with.
    fn entering(&self, parcels: Vec<Parcel>, failed: &mut Outcome) -> Vec<(usize, Parcel)> {
        let mut entering = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            match self.entry_of(&parcel) {
                Ok(at) => entering.push((at, parcel)),
                Err(failure) => failed.failures.push(*failure),
            }
        }
        entering
    }

    fn entry_of(&self, parcel: &Parcel) -> Result<usize, Box<Failure>> {
        let name = match parcel.entry() {
            None | Some(Stage::Connector) => return Ok(0),
            Some(Stage::Port) => return Ok(self.steps.len()),
            Some(Stage::Step(name)) => name,
        };
        if self.before.contains(name) {
            return Ok(0);
        }
        if self.behind.contains(name) {
            return Ok(self.steps.len());
        }
        let found = self.steps.iter().position(|step| step.name == *name);
        found.ok_or_else(|| {
            let reason = format!(
                "it failed in step {name} and would go on there, but the pipeline has no such step \
                 any more; name one of its steps so, or send the message to the source again"
            );
            Box::new(Failure::new(
                parcel.clone(),
                Stage::Step(name.clone()),
                StageError::rejected(reason),
            ))
        })
    }

    /// The end of the steps that are done together from here on.
    fn block_end(&self, at: usize) -> usize {
        let rest = self.steps.iter().skip(at);
        at + rest.take_while(|step| step.is_immediate()).count().max(1)
    }

    /// Takes each message through steps that wait for nothing, on a thread of their own.
    async fn immediate(
        &self,
        from: usize,
        end: usize,
        inputs: Vec<(usize, Parcel)>,
        seed: u64,
    ) -> Result<Begun, (Stage, StageError)> {
        let inputs: Arc<[(usize, Parcel)]> = inputs.into();
        let mut settled: Vec<Option<Outcome>> = inputs.iter().map(|_| None).collect();
        let mut backoff = Backoff::new(self.policy.retry, seed);
        loop {
            let mut open = unsettled(&settled);
            // Those that were tried once are tried to their end.
            if self.stuck.get().is_some() && backoff.failures() == 0 {
                settled.truncate(open.first().copied().unwrap_or(settled.len()));
                open.clear();
            }
            if open.is_empty() {
                let rest = inputs.iter().skip(settled.len()).cloned().collect();
                return Ok(Begun {
                    outcomes: settled.into_iter().flatten().collect(),
                    rest,
                });
            }
            let bytes_max = self.room(&settled);
            let steps = Arc::clone(&self.steps);
            let job = Job::new(
                steps,
                from..end,
                Arc::clone(&inputs),
                open.clone(),
                bytes_max,
            );
            let job = Arc::new(job);
            let outcomes = self.watched(&job).await;
            let count = outcomes.len();
            if job.is_full() {
                // What is done behind those that are left is done again with them.
                let first_left = open.get(count).copied();
                settled.truncate(first_left.unwrap_or(settled.len()));
            }
            settle(&mut settled, &open, outcomes, &self.policy, &backoff)?;
            // Those behind one that hung begin at once, and not as a second attempt.
            let is_through = count == open.len() || job.is_full();
            if is_through && !unsettled(&settled).is_empty() {
                sleep(backoff.next(None)).await;
            }
        }
    }

    /// How much messages may become beside those that are done. One is taken through at least.
    fn room(&self, settled: &[Option<Outcome>]) -> usize {
        let done = settled.iter().flatten().map(Outcome::weight).sum();
        self.slice_bytes.saturating_sub(done).max(1)
    }

    /// Runs a job, and takes what it got done: all, or what was done until one message hung, which is
    /// rejected.
    async fn watched(&self, job: &Arc<Job>) -> Vec<Outcome> {
        let work = Arc::clone(job);
        let mut running = tokio::task::spawn_blocking(move || work.run());
        let mut done = 0;
        loop {
            match timeout(self.policy.step_timeout, &mut running).await {
                Ok(_) => return job.outcomes(),
                // Others have all threads: it waits for its turn.
                Err(_) if !job.has_begun() => {}
                Err(_) => {
                    let limit = self.policy.step_timeout;
                    let Some((outcomes, stage)) = job.abandon(done, limit) else {
                        done = job.done();
                        continue;
                    };
                    let hung = self.hung.fetch_add(1, Ordering::Relaxed) + 1;
                    if hung > HUNG_THREADS_MAX {
                        let reason = format!(
                            "{hung} messages hung in it for {limit:?}; each left a thread behind"
                        );
                        let _ = self.stuck.set((stage, reason));
                    }
                    return outcomes;
                }
            }
        }
    }

    /// Takes each message through one step that waits, several at once.
    async fn awaited(
        &self,
        step: &Step,
        transform: &Arc<dyn AsyncTransform>,
        mut inputs: Vec<(usize, Parcel)>,
        seed: u64,
    ) -> Result<Begun, (Stage, StageError)> {
        let mut settled: Vec<Option<Outcome>> = inputs.iter().map(|_| None).collect();
        let mut rest = Vec::new();
        let mut backoff = Backoff::new(self.policy.retry, seed);
        loop {
            let open = unsettled(&settled);
            if open.is_empty() {
                return Ok(Begun {
                    outcomes: settled.into_iter().flatten().collect(),
                    rest,
                });
            }
            let bytes_max = self.room(&settled);
            let mut bytes = 0_usize;
            let mut outcomes: Vec<Outcome> = Vec::with_capacity(open.len());
            let mut waiting: FuturesOrdered<BoxFuture<'_, Outcome>> = FuturesOrdered::new();
            for at in &open {
                if bytes >= bytes_max {
                    // What is done behind those that are left is done again with them.
                    rest.splice(0..0, inputs.split_off(*at));
                    settled.truncate(*at);
                    break;
                }
                if let Some((_, parcel)) = inputs.get(*at) {
                    let work = self.wait_for(step, transform, parcel.clone());
                    waiting.push_back(Box::pin(work));
                }
                if waiting.len() >= AWAITED_MAX
                    && let Some(outcome) = waiting.next().await
                {
                    bytes = bytes.saturating_add(outcome.weight());
                    outcomes.push(outcome);
                }
            }
            while let Some(outcome) = waiting.next().await {
                outcomes.push(outcome);
            }
            let asked = outcomes.iter().filter_map(Outcome::asked).max();
            settle(&mut settled, &open, outcomes, &self.policy, &backoff)?;
            if !unsettled(&settled).is_empty() {
                sleep(backoff.next(asked)).await;
            }
        }
    }

    async fn wait_for(
        &self,
        step: &Step,
        transform: &Arc<dyn AsyncTransform>,
        parcel: Parcel,
    ) -> Outcome {
        let mut out = Emit::new(&parcel, &step.name, step.max);
        let limit = self.policy.step_timeout;
        let work = AssertUnwindSafe(transform.apply(parcel.clone(), &mut out)).catch_unwind();
        let error = match timeout(limit, work).await {
            Ok(Ok(Ok(()))) => return Outcome::made(out.into_parcels()),
            Ok(Ok(Err(error))) => error,
            Ok(Err(panic)) => StageError::rejected(told(&*panic)),
            Err(_) => StageError::unavailable(format!("it took longer than {limit:?}")),
        };
        Outcome::failed(Failure::new(parcel, Stage::Step(step.name.clone()), error))
    }
}

/// What became of messages in steps, as far as they were taken through them.
struct Begun {
    /// One for each that was.
    outcomes: Vec<Outcome>,
    /// Those that were not, each with the number of the step that it enters with.
    rest: Vec<(usize, Parcel)>,
}

fn unsettled(settled: &[Option<Outcome>]) -> Vec<usize> {
    let all = settled.iter().enumerate();
    all.filter(|(_, outcome)| outcome.is_none())
        .map(|(at, _)| at)
        .collect()
}

/// Notes the outcomes that stay; those that may be others later are left out.
fn settle(
    settled: &mut [Option<Outcome>],
    open: &[usize],
    outcomes: Vec<Outcome>,
    policy: &Policy,
    backoff: &Backoff,
) -> Result<(), (Stage, StageError)> {
    let attempts = backoff.failures() + 1;
    for (at, mut outcome) in open.iter().zip(outcomes) {
        if let Some(fatal) = outcome.take_fatal() {
            return Err(fatal);
        }
        if outcome.may_work_later() && attempts < policy.retry.attempts {
            continue;
        }
        for failure in &mut outcome.failures {
            failure.attempts = attempts;
        }
        if let Some(place) = settled.get_mut(*at) {
            *place = Some(outcome);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
