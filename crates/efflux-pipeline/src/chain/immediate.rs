//! Takes messages through steps that wait for nothing, on a thread where they hold up nobody else.

use std::any::Any;
use std::borrow::Cow;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::outcome::{Failure, Outcome};
use crate::emit::Emit;
use crate::limits::{MESSAGE_BYTES, OUTPUT_BYTES_DEFAULT_MAX, OUTPUTS_DEFAULT_MAX};
use crate::parcel::Parcel;
use crate::stage::Stage;
use crate::stage_error::StageError;
use crate::step::{Step, StepWork};

/// Messages, and the steps that they go through.
#[derive(Debug)]
pub(super) struct Job {
    steps: Arc<[Step]>,
    range: Range<usize>,
    /// Each with the number of the step that it begins with.
    inputs: Arc<[(usize, Parcel)]>,
    /// Places of those that are to be taken through, ascending.
    open: Vec<usize>,
    /// How much they may become before the others are left for later.
    bytes_max: usize,
    is_full: AtomicBool,
    has_begun: AtomicBool,
    outcomes: Mutex<Vec<Outcome>>,
    /// The step that is at work.
    at: AtomicUsize,
    is_abandoned: AtomicBool,
}

impl Job {
    pub(super) fn new(
        steps: Arc<[Step]>,
        range: Range<usize>,
        inputs: Arc<[(usize, Parcel)]>,
        open: Vec<usize>,
        bytes_max: usize,
    ) -> Self {
        Self {
            steps,
            at: AtomicUsize::new(range.start),
            range,
            outcomes: Mutex::new(Vec::with_capacity(open.len())),
            inputs,
            open,
            bytes_max,
            is_full: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
        }
    }

    pub(super) fn run(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
        let mut bytes = 0_usize;
        for (entry, parcel) in self.open.iter().filter_map(|at| self.inputs.get(*at)) {
            if bytes >= self.bytes_max {
                self.is_full.store(true, Ordering::Relaxed);
                return;
            }
            let mut made = Made::default();
            let from = (*entry).max(self.range.start);
            if self.go(from, Cow::Borrowed(parcel), &mut made).is_err() {
                made.give_up(parcel, self.stage());
            }
            bytes = bytes.saturating_add(made.outcome.weight());
            let mut outcomes = self.outcomes.lock();
            if self.is_abandoned.load(Ordering::Relaxed) {
                return;
            }
            outcomes.push(made.outcome);
        }
    }

    /// Whether a thread has taken it up.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// Whether those behind the last that is done were left for later.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// How many messages are done.
    pub(super) fn done(&self) -> usize {
        self.outcomes.lock().len()
    }

    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        std::mem::take(&mut *self.outcomes.lock())
    }

    /// Leaves the message that hangs, and the thread with it. What is done, with that message
    /// rejected, and the step that it hangs in; none when more than `done` are done by now.
    pub(super) fn abandon(&self, done: usize, limit: Duration) -> Option<(Vec<Outcome>, Stage)> {
        let mut outcomes = self.outcomes.lock();
        if outcomes.len() > done {
            return None;
        }
        let (_, parcel) = self.inputs.get(*self.open.get(outcomes.len())?)?;
        self.is_abandoned.store(true, Ordering::Relaxed);
        let stage = self.stage();
        let reason = format!("it took longer than {limit:?}, and was given up");
        let error = StageError::rejected(reason);
        let failure = Failure::new(parcel.clone(), stage.clone(), error);
        outcomes.push(Outcome::failed(failure));
        Some((std::mem::take(&mut *outcomes), stage))
    }

    fn stage(&self) -> Stage {
        let at = self.at.load(Ordering::Relaxed);
        let step = self.steps.get(at);
        step.map_or(Stage::Port, |step| Stage::Step(step.name.clone()))
    }

    /// Takes one message through the steps from here on, and all that becomes of it.
    fn go(&self, at: usize, parcel: Cow<'_, Parcel>, made: &mut Made) -> Result<(), TooMuch> {
        let step = self.steps.get(at).filter(|_| at < self.range.end);
        let Some(step) = step else {
            return made.push(parcel.into_owned());
        };
        self.at.store(at, Ordering::Relaxed);
        let tried = catch_unwind(AssertUnwindSafe(|| apply(step, &parcel)));
        let error = match tried {
            Ok(Ok(Applied::Kept)) => return self.go(at + 1, parcel, made),
            Ok(Ok(Applied::Dropped)) => {
                made.outcome.filtered += 1;
                return Ok(());
            }
            Ok(Ok(Applied::Made(outputs))) => {
                let mut outputs = outputs.into_iter();
                return outputs.try_for_each(|output| self.go(at + 1, Cow::Owned(output), made));
            }
            Ok(Err(error)) => error,
            Err(panic) => StageError::rejected(told(&*panic)),
        };
        made.fail(parcel.into_owned(), step, error);
        Ok(())
    }
}

/// What became of a message in a step.
enum Applied {
    /// It goes on as it is.
    Kept,
    /// It does not go on.
    Dropped,
    /// These go on in its place.
    Made(Vec<Parcel>),
}

fn apply(step: &Step, parcel: &Parcel) -> Result<Applied, StageError> {
    match &step.work {
        StepWork::Filter(filter) => Ok(match filter.keeps(parcel)? {
            true => Applied::Kept,
            false => Applied::Dropped,
        }),
        StepWork::Transform(transform) => {
            let mut out = Emit::new(parcel, &step.name, step.max);
            transform.apply(parcel.clone(), &mut out)?;
            Ok(Applied::Made(out.into_parcels()))
        }
        StepWork::Await(_) | StepWork::Aggregate(_) => Ok(Applied::Kept),
    }
}

/// What a panic says.
pub(crate) fn told(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    format!(
        "it panicked: {}",
        text.as_deref().unwrap_or("no reason is told")
    )
}

/// A message became more than it may in all steps together.
struct TooMuch;

#[derive(Default)]
struct Made {
    outcome: Outcome,
    bytes: usize,
}

impl Made {
    fn push(&mut self, parcel: Parcel) -> Result<(), TooMuch> {
        self.bytes += parcel.weight();
        self.outcome.parcels.push(parcel);
        let count = self.outcome.parcels.len();
        if count > OUTPUTS_DEFAULT_MAX || self.bytes > OUTPUT_BYTES_DEFAULT_MAX {
            return Err(TooMuch);
        }
        Ok(())
    }

    fn fail(&mut self, parcel: Parcel, step: &Step, error: StageError) {
        let stage = Stage::Step(step.name.clone());
        self.outcome
            .failures
            .push(Failure::new(parcel, stage, error));
    }

    fn give_up(&mut self, input: &Parcel, stage: Stage) {
        let reason = format!(
            "it becomes more than {OUTPUTS_DEFAULT_MAX} messages or {OUTPUT_BYTES_DEFAULT_MAX} \
             bytes, with {MESSAGE_BYTES} for each of them, in the steps up to here"
        );
        let error = StageError::rejected(reason);
        self.outcome = Outcome::failed(Failure::new(input.clone(), stage, error));
    }
}
