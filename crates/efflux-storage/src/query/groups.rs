//! Which neighbouring parts of a query are written as one comparison.

use super::data::DataTest;
use super::expr::{Expr, Leaf};

/// Neighbouring parts that are written as one comparison.
pub(super) enum Group<'a> {
    One(&'a Expr),
    /// `in` or `not in`: two or more equalities of one field.
    List(&'a [Expr]),
    /// `!=` of a time or a sequence: the range before the value.
    Unequal(&'a Leaf),
}

pub(super) fn grouped(parts: &[Expr], alternatives: bool) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    let mut rest = parts;
    while let [first, others @ ..] = rest {
        let members = 1 + others
            .iter()
            .take_while(|other| are_members(first, other, alternatives))
            .count();
        let (group, count) = match (first, others.first()) {
            (Expr::Leaf(before), Some(Expr::Leaf(after)))
                if alternatives && before.leaves_one_out(after) =>
            {
                (Group::Unequal(before), 2)
            }
            _ if members > 1 => (
                Group::List(rest.get(..members).unwrap_or_default()),
                members,
            ),
            _ => (Group::One(first), 1),
        };
        groups.push(group);
        rest = rest.get(count..).unwrap_or_default();
    }
    groups
}

/// Whether two parts can stand in one list: of `in` between alternatives, else of `not in`.
fn are_members(one: &Expr, other: &Expr, alternatives: bool) -> bool {
    let (Expr::Leaf(one), Expr::Leaf(other)) = (one, other) else {
        return false;
    };
    match (one, other) {
        (
            Leaf::Is { field, negated, .. },
            Leaf::Is {
                field: other_field,
                negated: other_negated,
                ..
            },
        ) => field == other_field && negated == other_negated && *negated != alternatives,
        (
            Leaf::Data {
                path,
                test: DataTest::Is(_),
                negated,
            },
            Leaf::Data {
                path: other_path,
                test: DataTest::Is(_),
                negated: other_negated,
            },
        ) => path == other_path && negated == other_negated && *negated != alternatives,
        (Leaf::Time { field, .. }, Leaf::Time { field: other_f, .. }) => {
            alternatives && field == other_f && one.is_point() && other.is_point()
        }
        (Leaf::Sequence { .. }, Leaf::Sequence { .. }) => {
            alternatives && one.is_point() && other.is_point()
        }
        _ => false,
    }
}

impl Leaf {
    /// Whether the leaf is a range of a single value.
    fn is_point(&self) -> bool {
        match self {
            Self::Time { from, until, .. } => from.is_some() && from == until,
            Self::Sequence { from, until } => from == until,
            _ => false,
        }
    }

    /// Whether this range ends right before a value and `after` begins right after it.
    fn leaves_one_out(&self, after: &Self) -> bool {
        match (self, after) {
            (
                Self::Time {
                    field,
                    from: None,
                    until: Some(last),
                },
                Self::Time {
                    field: after_field,
                    from: Some(first),
                    until: None,
                },
            ) => field == after_field && last.checked_add(2) == Some(*first),
            (
                Self::Sequence {
                    from: 0,
                    until: last,
                },
                Self::Sequence {
                    from: first,
                    until: u64::MAX,
                },
            ) => last.checked_add(2) == Some(*first),
            _ => false,
        }
    }
}
