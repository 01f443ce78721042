//! Ranges of times and of sequences: making them, and intersecting them.

use super::expr::{Expr, Leaf, TimeField};

impl Expr {
    /// The times from `from` until `until`, both included.
    pub(super) fn time(field: TimeField, from: Option<i64>, until: Option<i64>) -> Self {
        let from = from.filter(|from| *from > i64::MIN);
        let until = until.filter(|until| *until < i64::MAX);
        match (from, until) {
            (None, None) => Self::All,
            (Some(from), Some(until)) if from > until => Self::Never,
            _ => Self::Leaf(Leaf::Time { field, from, until }),
        }
    }

    pub(super) fn time_from(field: TimeField, nanos: i64) -> Self {
        Self::time(field, Some(nanos), None)
    }

    pub(super) fn time_until(field: TimeField, nanos: i64) -> Self {
        Self::time(field, None, Some(nanos))
    }

    pub(super) fn time_before(field: TimeField, nanos: i64) -> Self {
        match nanos.checked_sub(1) {
            Some(last) => Self::time_until(field, last),
            None => Self::Never,
        }
    }

    pub(super) fn time_after(field: TimeField, nanos: i64) -> Self {
        match nanos.checked_add(1) {
            Some(first) => Self::time_from(field, first),
            None => Self::Never,
        }
    }

    /// The sequences from `from` until `until`, both included.
    pub(super) const fn sequence(from: u64, until: u64) -> Self {
        match (from, until) {
            (0, u64::MAX) => Self::All,
            _ if from > until => Self::Never,
            _ => Self::Leaf(Leaf::Sequence { from, until }),
        }
    }

    pub(super) const fn sequence_before(number: u64) -> Self {
        match number.checked_sub(1) {
            Some(last) => Self::sequence(0, last),
            None => Self::Never,
        }
    }

    pub(super) const fn sequence_after(number: u64) -> Self {
        match number.checked_add(1) {
            Some(first) => Self::sequence(first, u64::MAX),
            None => Self::Never,
        }
    }
}

impl Leaf {
    /// What both ranges hold; none when the two are no ranges of the same field.
    pub(super) fn intersect(&self, other: &Self) -> Option<Expr> {
        match (self, other) {
            (
                Self::Time { field, from, until },
                Self::Time {
                    field: other_field,
                    from: other_from,
                    until: other_until,
                },
            ) if field == other_field => {
                // None is less than every Some, which is right for the lower end alone.
                let from = *from.max(other_from);
                let until = until.iter().chain(other_until).min().copied();
                Some(Expr::time(*field, from, until))
            }
            (
                Self::Sequence { from, until },
                Self::Sequence {
                    from: other_from,
                    until: other_until,
                },
            ) => Some(Expr::sequence(
                *from.max(other_from),
                *until.min(other_until),
            )),
            _ => None,
        }
    }
}
