//! Takes messages through steps that wait for nothing, on a thread where they hold up nobody else.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::outcome::{Failure, Outcome};
use crate::emit::Emit;
use crate::limits::{OUTPUT_BYTES_DEFAULT_MAX, OUTPUTS_DEFAULT_MAX};
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
    inputs: Vec<(usize, Parcel)>,
    outcomes: Mutex<Vec<Outcome>>,
    /// The step that is at work.
    at: AtomicUsize,
    is_abandoned: AtomicBool,
}

impl Job {
    pub(super) fn new(
        steps: Arc<[Step]>,
        range: Range<usize>,
        inputs: Vec<(usize, Parcel)>,
    ) -> Self {
        Self {
            steps,
            at: AtomicUsize::new(range.start),
            range,
            outcomes: Mutex::new(Vec::with_capacity(inputs.len())),
            inputs,
            is_abandoned: AtomicBool::new(false),
        }
    }

    pub(super) fn run(&self) {
        for (entry, parcel) in &self.inputs {
            let mut made = Made::default();
            let from = (*entry).max(self.range.start);
            if self.go(from, parcel.clone(), &mut made).is_err() {
                made.give_up(parcel, self.stage());
            }
            let mut outcomes = self.outcomes.lock();
            if self.is_abandoned.load(Ordering::Relaxed) {
                return;
            }
            outcomes.push(made.outcome);
        }
    }

    /// How many messages are done.
    pub(super) fn done(&self) -> usize {
        self.outcomes.lock().len()
    }

    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        std::mem::take(&mut *self.outcomes.lock())
    }

    /// Leaves the message that hangs, and the thread with it. What is done, with that message
    /// rejected, and the step that it hangs in; none when it was the last and is done by now.
    pub(super) fn abandon(&self, limit: Duration) -> Option<(Vec<Outcome>, Stage)> {
        let mut outcomes = self.outcomes.lock();
        let (_, parcel) = self.inputs.get(outcomes.len())?;
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
    fn go(&self, at: usize, parcel: Parcel, made: &mut Made) -> Result<(), TooMuch> {
        let step = self.steps.get(at).filter(|_| at < self.range.end);
        let Some(step) = step else {
            return made.push(parcel);
        };
        self.at.store(at, Ordering::Relaxed);
        let tried = catch_unwind(AssertUnwindSafe(|| apply(step, parcel.clone())));
        let outputs = match tried {
            Ok(Ok(Some(outputs))) => outputs,
            Ok(Ok(None)) => {
                made.outcome.filtered += 1;
                return Ok(());
            }
            Ok(Err(error)) => {
                made.fail(parcel, step, error);
                return Ok(());
            }
            Err(panic) => {
                made.fail(parcel, step, StageError::rejected(told(&*panic)));
                return Ok(());
            }
        };
        let mut outputs = outputs.into_iter();
        outputs.try_for_each(|output| self.go(at + 1, output, made))
    }
}

/// What becomes of a message in a step; none when it is filtered out.
fn apply(step: &Step, parcel: Parcel) -> Result<Option<Vec<Parcel>>, StageError> {
    match &step.work {
        StepWork::Filter(filter) => Ok(filter.keeps(&parcel)?.then(|| vec![parcel])),
        StepWork::Transform(transform) => {
            let mut out = Emit::new(&parcel, &step.name, step.max);
            transform.apply(parcel, &mut out)?;
            Ok(Some(out.into_parcels()))
        }
        StepWork::Await(_) | StepWork::Aggregate(_) => Ok(Some(vec![parcel])),
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
        self.bytes += parcel.message.payload().len();
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
             bytes in the steps up to here"
        );
        let error = StageError::rejected(reason);
        self.outcome = Outcome::failed(Failure::new(input.clone(), stage, error));
    }
}
