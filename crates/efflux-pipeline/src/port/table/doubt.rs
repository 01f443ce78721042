//! A commit whose answer never came.

use std::sync::{Mutex, PoisonError};

use crate::port::{Advance, Failed};
use crate::stage_error::StageError;

/// The batch of which nobody knows whether it was committed: it is there, or nothing of it is. The
/// position that is found next tells which.
#[derive(Debug, Default)]
pub(in crate::port) struct Doubt(Mutex<Option<Advance>>);

/// The batch that was in doubt when a delivery began.
#[derive(Clone, Copy, Debug)]
pub(in crate::port) struct Before(Option<Advance>);

impl Doubt {
    /// A delivery begins. It is in doubt until it ends, so also when it is given up.
    pub(in crate::port) fn begins(&self, advance: Option<Advance>) -> Before {
        let mut doubt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Before(std::mem::replace(&mut *doubt, advance))
    }

    /// A delivery has ended. What is unavailable may have been committed.
    pub(in crate::port) fn ends(&self, outcome: &Result<(), Failed>) {
        if !matches!(outcome, Err(Failed::Whole(StageError::Unavailable { .. }))) {
            self.begins(None);
        }
    }
}

impl Before {
    /// Whether the batch that was in doubt is this one, and turns out to have been committed.
    pub(in crate::port) fn is_settled(self, advance: Advance, found: Option<u64>) -> bool {
        self.0 == Some(advance) && found == Some(advance.to)
    }
}

/// The position is another one than this process left.
pub(in crate::port) fn elsewhere(
    pipeline: &str,
    advance: Advance,
    found: Option<u64>,
) -> StageError {
    let told = |sequence: Option<u64>| match sequence {
        Some(sequence) => sequence.to_string(),
        None => "the beginning".to_owned(),
    };
    StageError::fatal(format!(
        "another process delivers for the pipeline {pipeline}: its position is {}, not {}; \
         nothing was written. End one of the two, then start this one again",
        told(found),
        told(advance.from)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_batch_in_doubt_is_settled_by_the_position_it_reaches() {
        let first = Advance { from: None, to: 9 };
        let second = Advance {
            from: Some(9),
            to: 19,
        };
        let doubt = Doubt::default();
        assert!(!doubt.begins(Some(first)).is_settled(first, Some(9)));
        let again = doubt.begins(Some(first));
        assert!(again.is_settled(first, Some(9)));
        assert!(!again.is_settled(first, None));
        assert!(!again.is_settled(second, Some(19)));
        doubt.ends(&Err(StageError::unavailable("lost").into()));
        assert!(doubt.begins(Some(first)).is_settled(first, Some(9)));
        doubt.ends(&Ok(()));
        assert!(!doubt.begins(Some(first)).is_settled(first, Some(9)));
    }
}
