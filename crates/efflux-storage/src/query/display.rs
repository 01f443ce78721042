//! Writes a query in its canonical form, which reads back as the same query.

use std::fmt::{self, Display, Formatter, Write as _};

use super::data::{DataOrder, DataTest};
use super::expr::{Expr, Leaf, TimeField};
use super::groups::{Group, grouped};
use super::notation::{Time, write_path, write_quoted};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("true"),
            Self::Never => f.write_str("false"),
            Self::Leaf(leaf) => Display::fmt(leaf, f),
            Self::And(parts) => write_joined(f, &grouped(parts, false), " and "),
            Self::Or(parts) => write_joined(f, &grouped(parts, true), " or "),
        }
    }
}

fn write_joined(f: &mut Formatter<'_>, groups: &[Group<'_>], joint: &str) -> fmt::Result {
    for (done, group) in groups.iter().enumerate() {
        if done > 0 {
            f.write_str(joint)?;
        }
        match group {
            Group::List(leaves) => write_list(f, leaves)?,
            Group::Unequal(Leaf::Time {
                field,
                until: Some(last),
                ..
            }) => write!(f, "{field} != {}", Time(last.saturating_add(1)))?,
            Group::Unequal(Leaf::Sequence { until, .. }) => {
                write!(f, "sequence != {}", until.saturating_add(1))?;
            }
            Group::Unequal(leaf) => Display::fmt(leaf, f)?,
            // `and` binds closer, so that alternatives alone need parentheses.
            Group::One(Expr::Or(parts)) => match grouped(parts, true).as_slice() {
                single @ [_] => write_joined(f, single, " or ")?,
                several => {
                    f.write_char('(')?;
                    write_joined(f, several, " or ")?;
                    f.write_char(')')?;
                }
            },
            Group::One(expr) => Display::fmt(expr, f)?,
        }
    }
    Ok(())
}

fn write_list(f: &mut Formatter<'_>, members: &[Expr]) -> fmt::Result {
    for (done, member) in members.iter().enumerate() {
        let Expr::Leaf(leaf) = member else { continue };
        if done == 0 {
            write_list_start(f, leaf)?;
        } else {
            f.write_str(", ")?;
        }
        match leaf {
            Leaf::Is { value, .. } => write_quoted(f, value)?,
            Leaf::Data {
                test: DataTest::Is(value),
                ..
            } => Display::fmt(value, f)?,
            Leaf::Time {
                from: Some(nanos), ..
            } => Display::fmt(&Time(*nanos), f)?,
            Leaf::Sequence { from, .. } => Display::fmt(from, f)?,
            _ => {}
        }
    }
    f.write_char(')')
}

fn write_list_start(f: &mut Formatter<'_>, leaf: &Leaf) -> fmt::Result {
    let negated = match leaf {
        Leaf::Is { field, negated, .. } => {
            Display::fmt(field, f)?;
            *negated
        }
        Leaf::Data { path, negated, .. } => {
            write_path(f, path)?;
            *negated
        }
        Leaf::Time { field, .. } => {
            Display::fmt(field, f)?;
            false
        }
        _ => {
            f.write_str("sequence")?;
            false
        }
    };
    f.write_str(if negated { " not in (" } else { " in (" })
}

impl Display for Leaf {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is {
                field,
                value,
                negated,
            } => {
                write!(f, "{field} {} ", if *negated { "!=" } else { "=" })?;
                write_quoted(f, value)
            }
            Self::StartsWith {
                field,
                prefix,
                negated,
            } => {
                write!(f, "{}{field} ^= ", if *negated { "not " } else { "" })?;
                write_quoted(f, prefix)
            }
            Self::Exists { field, negated } => {
                write!(f, "{field}{}", exists(*negated))
            }
            Self::Time { field, from, until } => write_time(f, *field, *from, *until),
            Self::Sequence { from, until } => match (*from, *until) {
                (from, until) if from == until => write!(f, "sequence = {from}"),
                (0, until) => write!(f, "sequence <= {until}"),
                (from, u64::MAX) => write!(f, "sequence >= {from}"),
                (from, until) => write!(f, "sequence >= {from} and sequence <= {until}"),
            },
            Self::Data {
                path,
                test,
                negated,
            } => write_data(f, path, test, *negated),
        }
    }
}

const fn exists(negated: bool) -> &'static str {
    if negated { " not exists" } else { " exists" }
}

/// Writes a range with the rounder of two equal bounds: `< 10:00:00Z` for `<= 09:59:59.999999999Z`.
fn write_time(
    f: &mut Formatter<'_>,
    field: TimeField,
    from: Option<i64>,
    until: Option<i64>,
) -> fmt::Result {
    let is_round = |nanos: &i64| nanos % 1_000 == 0;
    if let (Some(from), true) = (from, from == until) {
        return write!(f, "{field} = {}", Time(from));
    }
    if let Some(from) = from {
        match from.checked_sub(1).filter(is_round) {
            Some(before) => write!(f, "{field} > {}", Time(before))?,
            None => write!(f, "{field} >= {}", Time(from))?,
        }
    }
    if from.is_some() && until.is_some() {
        f.write_str(" and ")?;
    }
    match until {
        None => Ok(()),
        Some(until) => match until.checked_add(1).filter(is_round) {
            Some(after) => write!(f, "{field} < {}", Time(after)),
            None => write!(f, "{field} <= {}", Time(until)),
        },
    }
}

fn write_data(
    f: &mut Formatter<'_>,
    path: &[String],
    test: &DataTest,
    negated: bool,
) -> fmt::Result {
    if negated && matches!(test, DataTest::StartsWith(_) | DataTest::Ordered(..)) {
        f.write_str("not ")?;
    }
    write_path(f, path)?;
    match test {
        DataTest::Exists => f.write_str(exists(negated)),
        DataTest::Is(value) if negated => write!(f, " != {value}"),
        DataTest::Is(value) => write!(f, " = {value}"),
        DataTest::StartsWith(prefix) => {
            f.write_str(" ^= ")?;
            write_quoted(f, prefix)
        }
        DataTest::Ordered(DataOrder::Less, value) => write!(f, " < {value}"),
        DataTest::Ordered(DataOrder::LessOrEqual, value) => write!(f, " <= {value}"),
        DataTest::Ordered(DataOrder::Greater, value) => write!(f, " > {value}"),
        DataTest::Ordered(DataOrder::GreaterOrEqual, value) => write!(f, " >= {value}"),
    }
}
