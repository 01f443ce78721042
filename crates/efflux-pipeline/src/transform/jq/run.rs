//! One run of a program, and the bounds that end it.
//!
//! jaq asks for its table of terms each time that it evaluates one. That is where steps are counted
//! and the stack is measured: no program can go round it. What exceeds a bound unwinds, silently,
//! to where the run began: an error would be something that `try` catches.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

use jaq_core::{DataT, Lut};
use jaq_json::Val;

/// The kind of data that programs work on.
#[derive(Debug)]
pub(super) struct Kind;

impl DataT for Kind {
    type V<'a> = Val;
    type Data<'a> = &'a Run<'a>;
}

/// One run of a program.
pub(super) struct Run<'a> {
    table: &'a Lut<Kind>,
    steps_left: Cell<u64>,
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
            stack_begins: stack_place(),
            stack_bytes,
        };
        panic::catch_unwind(AssertUnwindSafe(|| work(&run))).map_err(exceeded)
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
