//! Where a transform puts what it makes.

use std::sync::Arc;

use efflux_storage::particle::{Id, Message};

use crate::derived_id::derived_id;
use crate::limits::{MESSAGE_BYTES, OUTPUT_BYTES_DEFAULT_MAX, OUTPUTS_DEFAULT_MAX};
use crate::parcel::{CAUSE, CORRELATION, Origin, Parcel};
use crate::stage_error::StageError;
use crate::step_name::StepName;

/// What one message may become in one step, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmitMax {
    /// Messages.
    pub outputs: usize,
    /// Bytes of their payloads together.
    pub bytes: usize,
}

impl Default for EmitMax {
    fn default() -> Self {
        Self {
            outputs: OUTPUTS_DEFAULT_MAX,
            bytes: OUTPUT_BYTES_DEFAULT_MAX,
        }
    }
}

/// Takes what a transform makes of one message.
///
/// Each output gets an id that follows from the input's id, the step's name and the output's number,
/// so that a redelivery makes the very same messages. It is told what it was made of, in the
/// properties `efflux.cause` and `efflux.correlation`. What exceeds the bounds is refused.
///
/// ```
/// use efflux_pipeline::{Emit, EmitMax, Parcel};
/// use efflux_pipeline::particle::Message;
///
/// let input = Parcel::of_message(Message::new("a b").with_id("order-1".parse()?));
/// let step = "split".parse()?;
/// let mut out = Emit::new(&input, &step, EmitMax::default());
/// out.push(Message::new("a"))?;
/// out.push(Message::new("b"))?;
///
/// let made = out.into_parcels();
/// assert_eq!(made[1].message.property("efflux.cause"), Some("order-1"));
/// assert_ne!(made[0].message.id(), made[1].message.id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Emit<'a> {
    origin: Arc<Origin>,
    input: Option<Id>,
    step: &'a StepName,
    max: EmitMax,
    bytes: usize,
    made: Vec<Parcel>,
    numbers: usize,
}

impl<'a> Emit<'a> {
    /// Takes what becomes of `input` in this step.
    #[must_use]
    pub fn new(input: &Parcel, step: &'a StepName, max: EmitMax) -> Self {
        Self {
            origin: Arc::clone(input.origin()),
            input: input.message.id().cloned(),
            step,
            max,
            bytes: 0,
            made: Vec::new(),
            numbers: 0,
        }
    }

    /// Lets fewer messages and bytes through than until now; never more.
    pub fn narrow(&mut self, max: EmitMax) {
        self.max.outputs = self.max.outputs.min(max.outputs);
        self.max.bytes = self.max.bytes.min(max.bytes);
    }

    /// How many bytes of payload may still be added. A transform that makes one large output asks
    /// before it makes it.
    #[must_use]
    pub const fn bytes_left(&self) -> usize {
        self.max.bytes.saturating_sub(self.bytes)
    }

    /// Adds an output. An id that it has is replaced by one that follows from the input's.
    ///
    /// # Errors
    /// `Rejected` when the input becomes more than it may.
    pub fn push(&mut self, message: Message) -> Result<(), StageError> {
        let bytes = self.bytes.saturating_add(message.payload().len());
        if self.made.len() >= self.max.outputs {
            return Err(StageError::rejected(format!(
                "it becomes more than {} messages, which is the bound of step {}",
                self.max.outputs, self.step
            )));
        }
        if bytes > self.max.bytes {
            return Err(StageError::rejected(format!(
                "it becomes more than {} bytes, which is the bound of step {}",
                self.max.bytes, self.step
            )));
        }
        let weight = bytes.saturating_add((self.made.len() + 1).saturating_mul(MESSAGE_BYTES));
        if weight > OUTPUT_BYTES_DEFAULT_MAX.max(self.max.bytes) {
            return Err(StageError::rejected(format!(
                "it becomes more than {OUTPUT_BYTES_DEFAULT_MAX} bytes in step {}, with \
                 {MESSAGE_BYTES} for each message",
                self.step
            )));
        }
        self.bytes = bytes;
        let message = self.labelled(message);
        self.made.push(Parcel::become_of(&self.origin, message));
        Ok(())
    }

    fn labelled(&mut self, mut message: Message) -> Message {
        let number = self.numbers;
        self.numbers += 1;
        if let Some(input) = &self.input {
            message = message.with_id(derived_id(&[
                input.to_string().as_bytes(),
                self.step.as_str().as_bytes(),
                &(number as u64).to_le_bytes(),
            ]));
        }
        if let Some(cause) = self.origin.id() {
            message = message.with_property(CAUSE, cause.to_string());
        }
        if let Some(correlation) = self.origin.correlation() {
            message = message.with_property(CORRELATION, correlation);
        }
        message
    }

    /// What was added, in order.
    #[must_use]
    pub fn into_parcels(self) -> Vec<Parcel> {
        self.made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emit(
        step: &str,
        max: EmitMax,
        messages: &[&'static str],
    ) -> Result<Vec<Parcel>, StageError> {
        let input = Message::new("in").with_id("in".parse().unwrap());
        let step = step.parse().unwrap();
        let mut out = Emit::new(&Parcel::of_message(input), &step, max);
        for message in messages {
            out.push(Message::new(*message))?;
        }
        Ok(out.into_parcels())
    }

    fn ids(step: &str, messages: &[&'static str]) -> Vec<String> {
        let made = emit(step, EmitMax::default(), messages).unwrap();
        let ids = made
            .iter()
            .map(|made| made.message.id().unwrap().to_string());
        ids.collect()
    }

    #[test]
    fn a_redelivery_makes_the_same_ids_and_another_step_others() {
        assert_eq!(ids("split", &["a", "b"]), ids("split", &["a", "b"]));
        assert_ne!(ids("split", &["a"]), ids("split-2", &["a"]));
        let two = ids("split", &["a", "a"]);
        assert_ne!(two[0], two[1]);
    }

    #[test]
    fn very_many_small_outputs_are_bounded_by_the_memory_that_they_take() {
        let input = Parcel::of_message(Message::new("in"));
        let step = "split".parse().unwrap();
        let mut out = Emit::new(&input, &step, EmitMax::default());
        let refused = (0..).find_map(|count| Some((count, out.push(Message::new("")).err()?)));
        let (count, error) = refused.unwrap();
        assert_eq!(count, OUTPUT_BYTES_DEFAULT_MAX / MESSAGE_BYTES);
        assert!(
            error.to_string().contains("512 for each message"),
            "{error}"
        );
    }

    #[test]
    fn what_exceeds_a_bound_is_rejected_and_names_it() {
        let max = EmitMax {
            outputs: 2,
            bytes: 3,
        };
        assert_eq!(emit("s", max, &["a", "b"]).unwrap().len(), 2);
        let many = emit("s", max, &["a", "b", "c"]).unwrap_err().to_string();
        assert!(many.contains("more than 2 messages"), "{many}");
        let large = emit("s", max, &["a", "bcd"]).unwrap_err().to_string();
        assert!(large.contains("more than 3 bytes"), "{large}");
    }
}
