//! What is told of a batch of which messages were not delivered.

use crate::port::Failed;
use crate::stage_error::StageError;

/// What is told of a batch of so many messages, each of which was tried by itself or waited behind
/// one of its group. Where all of them may be delivered later, and none failed by itself, it is the
/// target that is away, and no message is to blame.
pub(super) fn shortfall(mut failed: Vec<(usize, StageError)>, of: usize) -> Result<(), Failed> {
    if failed.is_empty() {
        return Ok(());
    }
    failed.sort_by_key(|(at, _)| *at);
    let is_away = |(_, error): &(usize, StageError)| error.is_retryable() && !error.is_by_itself();
    if failed.len() == of && failed.iter().all(is_away) {
        return Err(Failed::Whole(longest(failed)));
    }
    Err(Failed::Parts(failed))
}

/// Of failures that all may pass, the one that asks for the longest rest.
fn longest(failed: Vec<(usize, StageError)>) -> StageError {
    let rest = |error: &StageError| match error {
        StageError::Unavailable { after, .. } => *after,
        _ => None,
    };
    let mut failed = failed.into_iter().map(|(_, error)| error);
    let first = failed
        .next()
        .unwrap_or_else(|| StageError::unavailable("nothing was sent"));
    failed.fold(first, |longest, error| {
        match rest(&error) > rest(&longest) {
            true => error,
            false => longest,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_target_that_takes_nothing_is_away_and_one_that_takes_some_is_not() {
        let busy = |at: usize| {
            let rest = Duration::from_secs(at as u64);
            (at, StageError::unavailable_for("busy", rest))
        };
        let refused = |at: usize| (at, StageError::rejected("no"));
        assert!(shortfall(Vec::new(), 2).is_ok());
        let away = shortfall(vec![busy(0), busy(2), busy(1)], 3).unwrap_err();
        assert!(
            matches!(&away, Failed::Whole(StageError::Unavailable { after: Some(after), .. })
            if after.as_secs() == 2),
            "{away:?}"
        );
        let by_itself = (0, StageError::failed_by_itself("500", None));
        for (failed, of) in [
            (vec![busy(1), busy(0)], 3),
            (vec![by_itself, busy(1)], 2),
            (vec![busy(1), refused(0)], 2),
            (vec![refused(1), refused(0)], 2),
        ] {
            let told = shortfall(failed, of).unwrap_err();
            assert!(
                matches!(&told, Failed::Parts(parts) if parts.is_sorted_by_key(|part| part.0)),
                "{told:?}"
            );
        }
    }
}
