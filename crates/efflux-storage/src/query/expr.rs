//! What a query means: comparisons joined by `and` and `or`, with every `not` in the comparisons.

use super::data::DataTest;

/// What a query means, in negation normal form.
///
/// - `And` and `Or` have two parts or more, never a part of their own kind, never `All` or `Never`.
/// - There is no `not`: negation stands in the leaves, and the negation of a range is one or two
///   other ranges.
/// - An `And` has at most one `Time` leaf for each time field and at most one `Sequence` leaf: the
///   ranges that were written are intersected.
/// - `in` is an `Or` of `Is` leaves, `not in` an `And` of negated ones.
///
/// ```
/// use efflux_storage::Query;
///
/// let query: Query = "not (type = paid or type = shipped)".parse()?;
/// assert_eq!(query, "type not in (paid, shipped)".parse()?);
/// # Ok::<(), efflux_storage::QueryError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// Every particle.
    All,
    /// No particle.
    Never,
    /// The particles that each part matches.
    And(Vec<Self>),
    /// The particles that at least one part matches.
    Or(Vec<Self>),
    /// The particles that one comparison matches.
    Leaf(Leaf),
}

/// One comparison.
///
/// A leaf with `negated` matches exactly the particles that it would not match without, those that
/// lack the field among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// The field is there and has this value.
    Is {
        /// The field.
        field: Term,
        /// The value; for [`Term::Id`] the text form of an [`efflux_particle::Id`].
        value: String,
        /// Whether the leaf matches all other particles instead.
        negated: bool,
    },
    /// The field is there and its value begins with these bytes, at least one.
    StartsWith {
        /// The field, neither [`Term::Id`] nor [`Term::ContentEncoding`].
        field: Term,
        /// What the value begins with.
        prefix: String,
        /// Whether the leaf matches all other particles instead.
        negated: bool,
    },
    /// The field is there.
    Exists {
        /// The field, never [`Term::Id`], which every particle has.
        field: Term,
        /// Whether the leaf matches all other particles instead.
        negated: bool,
    },
    /// The time lies in a range that is not empty and has at least one end.
    Time {
        /// Which time.
        field: TimeField,
        /// The first nanosecond since the Unix epoch that matches; none for no lower end.
        from: Option<i64>,
        /// The last nanosecond that matches; none for no upper end.
        until: Option<i64>,
    },
    /// The sequence lies in a range that is neither empty nor everything.
    Sequence {
        /// The first sequence that matches.
        from: u64,
        /// The last sequence that matches, `u64::MAX` for no upper end.
        until: u64,
    },
    /// A place in the JSON payload is there and passes a test.
    Data {
        /// Names of members and indexes of arrays, from the outermost, at least one.
        path: Vec<String>,
        /// What is asked of the value at that place.
        test: DataTest,
        /// Whether the leaf matches all other particles instead.
        negated: bool,
    },
}

/// A field of text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// `id`, which every particle has.
    Id,
    /// `data_type`
    DataType,
    /// `content_type`
    ContentType,
    /// `content_encoding`
    ContentEncoding,
    /// `message_group`
    MessageGroup,
    /// `properties.NAME`
    Property(String),
}

/// A field of time. Every particle has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeField {
    /// `timestamp`: when the data came to be.
    Timestamp,
    /// `created`: when the message entered Efflux.
    Created,
}

impl Expr {
    pub(super) const fn is(field: Term, value: String) -> Self {
        Self::Leaf(Leaf::Is {
            field,
            value,
            negated: false,
        })
    }

    pub(super) fn starts_with(field: Term, prefix: String) -> Self {
        if prefix.is_empty() {
            return Self::exists(field);
        }
        Self::Leaf(Leaf::StartsWith {
            field,
            prefix,
            negated: false,
        })
    }

    pub(super) fn exists(field: Term) -> Self {
        if field == Term::Id {
            return Self::All;
        }
        Self::Leaf(Leaf::Exists {
            field,
            negated: false,
        })
    }

    pub(super) const fn data(path: Vec<String>, test: DataTest) -> Self {
        Self::Leaf(Leaf::Data {
            path,
            test,
            negated: false,
        })
    }

    /// Every part, flattened, with ranges intersected.
    pub(super) fn and(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut joined = Vec::new();
        for part in parts {
            let narrowed = match part {
                Self::And(inner) => inner.into_iter().all(|part| narrow(&mut joined, part)),
                other => narrow(&mut joined, other),
            };
            if !narrowed {
                return Self::Never;
            }
        }
        single(joined, Self::All, Self::And)
    }

    /// At least one part, flattened.
    pub(super) fn or(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut joined = Vec::new();
        for part in parts {
            match part {
                Self::All => return Self::All,
                Self::Never => {}
                Self::Or(inner) => joined.extend(inner),
                other => joined.push(other),
            }
        }
        single(joined, Self::Never, Self::Or)
    }

    /// Exactly what this does not match.
    pub(super) fn negate(self) -> Self {
        match self {
            Self::All => Self::Never,
            Self::Never => Self::All,
            Self::And(parts) => Self::or(parts.into_iter().map(Self::negate)),
            Self::Or(parts) => Self::and(parts.into_iter().map(Self::negate)),
            Self::Leaf(leaf) => leaf.negate(),
        }
    }

    pub(super) fn reads_data(&self) -> bool {
        match self {
            Self::All | Self::Never => false,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::reads_data),
            Self::Leaf(leaf) => matches!(leaf, Leaf::Data { .. }),
        }
    }
}

/// Adds a part to an `And` in the making; false when nothing can match any more.
fn narrow(joined: &mut Vec<Expr>, part: Expr) -> bool {
    match part {
        Expr::All => return true,
        Expr::Never => return false,
        Expr::Leaf(ref leaf) => {
            for earlier in joined.iter_mut() {
                let Expr::Leaf(range) = earlier else { continue };
                if let Some(both) = range.intersect(leaf) {
                    *earlier = both;
                    return *earlier != Expr::Never;
                }
            }
        }
        Expr::And(_) | Expr::Or(_) => {}
    }
    joined.push(part);
    true
}

fn single(mut parts: Vec<Expr>, empty: Expr, several: fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() > 1 {
        return several(parts);
    }
    parts.pop().unwrap_or(empty)
}

impl Leaf {
    fn negate(mut self) -> Expr {
        match &mut self {
            Self::Is { negated, .. }
            | Self::StartsWith { negated, .. }
            | Self::Exists { negated, .. }
            | Self::Data { negated, .. } => *negated = !*negated,
            Self::Time { field, from, until } => return outside_time(*field, *from, *until),
            Self::Sequence { from, until } => return outside_sequence(*from, *until),
        }
        Expr::Leaf(self)
    }
}

fn outside_time(field: TimeField, from: Option<i64>, until: Option<i64>) -> Expr {
    let before = from.map(|from| Expr::time_before(field, from));
    let after = until.map(|until| Expr::time_after(field, until));
    Expr::or(before.into_iter().chain(after))
}

fn outside_sequence(from: u64, until: u64) -> Expr {
    Expr::or([Expr::sequence_before(from), Expr::sequence_after(until)])
}
