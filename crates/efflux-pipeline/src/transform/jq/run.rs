//! One run of a program, and the bounds that end it.
//!
//! jaq asks for its table of terms each time that it evaluates one. That is where steps are counted
//! and the stack is measured: no program can go round it. What exceeds a bound unwinds, silently,
//! to where the run began: an error would be something that `try` catches.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};

use bytes::Bytes;
use jaq_core::{DataT, Lut};
use jaq_json::Val;

use crate::transform::limits::JQ_MADE_BYTES_MAX;

/// The kind of data that programs work on.
#[derive(Debug)]
pub(super) struct Kind;

impl DataT for Kind {
    type V<'a> = Val;
    type Data<'a> = &'a Run<'a>;
}

/// Bytes that a text takes beside its own.
const TEXT_BYTES: usize = 64;
/// Bytes of texts that are made before it is looked which of them are kept.
const LOOKS_AT_BYTES: usize = 64 * 1024 * 1024;

/// The texts that a run made, as far as they may be kept.
struct Made {
    texts: Vec<Bytes>,
    bytes: usize,
    /// At how many bytes it is looked which of them are.
    looks_at: usize,
}

/// One run of a program.
pub(super) struct Run<'a> {
    table: &'a Lut<Kind>,
    steps_left: Cell<u64>,
    made: RefCell<Made>,
    /// The address on the stack where it began.
    stack_begins: usize,
    stack_bytes: usize,
}

/// The bound that a run exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exceeded {
    Steps,
    Stack,
    Value,
    Memory,
}

impl<'a> jaq_core::data::HasLut<'a, Kind> for &'a Run<'a> {
    fn lut(&self) -> &'a Lut<Kind> {
        self.step();
        self.table
    }
}

impl<'a> Run<'a> {
    /// Runs `work` within the bounds.
    pub(super) fn within<T>(
        table: &'a Lut<Kind>,
        steps_max: u64,
        stack_bytes: usize,
        work: impl FnOnce(&Run<'a>) -> T,
    ) -> Result<T, Exceeded> {
        let run = Run {
            table,
            steps_left: Cell::new(steps_max),
            made: RefCell::new(Made {
                texts: Vec::new(),
                bytes: 0,
                looks_at: LOOKS_AT_BYTES,
            }),
            stack_begins: stack_place(),
            stack_bytes,
        };
        panic::catch_unwind(AssertUnwindSafe(|| work(&run))).map_err(exceeded)
    }

    /// Counts the bytes of a text that was made. Each of many may be small enough, and all of them
    /// be kept: which are, its other owners tell.
    pub(super) fn made(&self, text: &Bytes) {
        let mut made = self.made.borrow_mut();
        made.bytes += text.len() + TEXT_BYTES;
        made.texts.push(text.clone());
        if made.bytes <= made.looks_at {
            return;
        }
        made.texts.retain(|text| !text.is_unique());
        made.bytes = made.texts.iter().map(|text| text.len() + TEXT_BYTES).sum();
        if made.bytes > JQ_MADE_BYTES_MAX {
            drop(made);
            Exceeded::Memory.end();
        }
        made.looks_at = (2 * made.bytes).max(LOOKS_AT_BYTES);
    }

    /// Counts a step.
    pub(super) fn step(&self) {
        let left = self.steps_left.get();
        if left == 0 {
            Exceeded::Steps.end();
        }
        self.steps_left.set(left - 1);
        if self.stack_begins.abs_diff(stack_place()) > self.stack_bytes {
            Exceeded::Stack.end();
        }
    }
}

impl Exceeded {
    /// Ends the run.
    pub(super) fn end(self) -> ! {
        panic::resume_unwind(Box::new(self))
    }
}

/// The bound, or the panic goes on: it is none of ours.
fn exceeded(payload: Box<dyn Any + Send>) -> Exceeded {
    match payload.downcast::<Exceeded>() {
        Ok(exceeded) => *exceeded,
        Err(other) => panic::resume_unwind(other),
    }
}

/// An address on the stack of this thread, near where the call stands.
#[inline(never)]
fn stack_place() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
}
