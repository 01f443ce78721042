//! The query language: one text form for Rust, the CLI, HTTP and pipeline filters.
//!
//! docs/query.md tells it to its users. A text goes through `lexer` and `parser` (with
//! `comparison`, `field` and `value`) to an [`Expr`], which is evaluated, planned and displayed.

mod comparison;
mod data;
mod display;
mod error;
mod evaluate;
mod expr;
mod field;
mod groups;
mod lexer;
pub(crate) mod limits;
mod notation;
mod parser;
mod range;
mod suggest;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;
use std::str::FromStr;

use efflux_particle::limits::PROPERTY_NAME_BYTES_MAX;
use efflux_particle::{Id, Message, Metadata, Sequence, Timestamp};
use serde_json::Value;

use self::error::Fault;
use self::evaluate::Underway;
use self::limits::QUERY_BYTES_MAX;

pub use self::data::{DataOrder, DataTest, DataValue, Finite};
pub use self::error::QueryError;
pub use self::expr::{Expr, Leaf, Term, TimeField};

/// Says which particles are meant.
///
/// It is read from a text of at most 16 KiB, with at most 1,024 comparisons and 64 levels of
/// parentheses, or put together in Rust. Displayed, it is a canonical text that reads back as the
/// same query; for one put together in Rust, as long as it keeps within the same bounds.
///
/// ```
/// use efflux_storage::Query;
/// use efflux_storage::particle::Timestamp;
///
/// let query: Query = "type = order.placed and properties.customer = 42".parse()?;
/// assert_eq!(
///     query,
///     Query::data_type("order.placed").and(Query::property("customer", "42")),
/// );
///
/// let start: Timestamp = "2026-01-01".parse()?;
/// assert_eq!(
///     query.and(Query::timestamp_from(start)).to_string(),
///     "data_type = \"order.placed\" and properties.customer = \"42\" \
///      and timestamp >= 2026-01-01T00:00:00Z",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    expr: Expr,
}

impl Query {
    /// Every particle; its text is empty or `true`.
    #[must_use]
    pub const fn all() -> Self {
        Self { expr: Expr::All }
    }

    /// The particles of this data type.
    #[must_use]
    pub fn data_type(value: impl Into<String>) -> Self {
        Self {
            expr: Expr::is(Term::DataType, value.into()),
        }
    }

    /// The particles of this message group.
    #[must_use]
    pub fn message_group(value: impl Into<String>) -> Self {
        Self {
            expr: Expr::is(Term::MessageGroup, value.into()),
        }
    }

    /// The particles of this content type.
    #[must_use]
    pub fn content_type(value: impl Into<String>) -> Self {
        Self {
            expr: Expr::is(Term::ContentType, value.into()),
        }
    }

    /// The particles whose property `name` has this value.
    ///
    /// No particle has a property without a name or with one of more than 128 bytes, so that such
    /// a query matches none.
    #[must_use]
    pub fn property(name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        if name.is_empty() || name.len() > PROPERTY_NAME_BYTES_MAX {
            return Self { expr: Expr::Never };
        }
        Self {
            expr: Expr::is(Term::Property(name), value.into()),
        }
    }

    /// The particle with this id.
    #[must_use]
    pub fn id(id: &Id) -> Self {
        Self {
            expr: Expr::is(Term::Id, id.to_string()),
        }
    }

    /// The particles whose data came to be at this time or later.
    #[must_use]
    pub fn timestamp_from(time: Timestamp) -> Self {
        Self {
            expr: Expr::time_from(TimeField::Timestamp, time.nanos()),
        }
    }

    /// The particles whose data came to be before this time.
    #[must_use]
    pub fn timestamp_before(time: Timestamp) -> Self {
        Self {
            expr: Expr::time_before(TimeField::Timestamp, time.nanos()),
        }
    }

    /// The particles that entered Efflux at this time or later.
    #[must_use]
    pub fn created_from(time: Timestamp) -> Self {
        Self {
            expr: Expr::time_from(TimeField::Created, time.nanos()),
        }
    }

    /// The particles that entered Efflux before this time.
    #[must_use]
    pub fn created_before(time: Timestamp) -> Self {
        Self {
            expr: Expr::time_before(TimeField::Created, time.nanos()),
        }
    }

    /// The particles at this sequence and after it.
    #[must_use]
    pub const fn sequence_from(sequence: Sequence) -> Self {
        Self {
            expr: Expr::sequence(sequence.get(), u64::MAX),
        }
    }

    /// The particles before this sequence.
    #[must_use]
    pub const fn sequence_before(sequence: Sequence) -> Self {
        Self {
            expr: Expr::sequence_before(sequence.get()),
        }
    }

    /// The particles that both queries match.
    ///
    /// Mixing [`and`](Self::and) and [`or`](Self::or) nests the query, and evaluating one recurses
    /// as deep as it is nested: never nest by a depth that someone else chooses.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            expr: Expr::and([self.expr, other.expr]),
        }
    }

    /// The particles that at least one of the two queries matches.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            expr: Expr::or([self.expr, other.expr]),
        }
    }

    /// Exactly the particles that this query does not match.
    ///
    /// ```
    /// use efflux_storage::Query;
    ///
    /// let query = Query::property("customer", "42").negate();
    /// assert_eq!(query.to_string(), "properties.customer != \"42\"");
    /// ```
    #[must_use]
    pub fn negate(self) -> Self {
        Self {
            expr: self.expr.negate(),
        }
    }

    /// Whether the query matches a particle of which only the metadata is at hand.
    ///
    /// Every `data.PATH` is then a missing field, as it is for a payload that is no JSON.
    #[must_use]
    pub fn matches(&self, metadata: &Metadata) -> bool {
        self.expr.matches(metadata, None)
    }

    /// Whether the query matches a particle with this payload.
    #[must_use]
    pub fn matches_with_data(&self, metadata: &Metadata, data: &Value) -> bool {
        self.expr.matches(metadata, Some(data))
    }

    /// Whether the query matches a message that is on its way, with its payload if it is JSON.
    ///
    /// What only a particle has, the sequence and when it entered Efflux, is that of `origin`, the
    /// particle that the message comes from. Without one, comparisons with them do not match.
    ///
    /// ```
    /// use efflux_storage::Query;
    /// use efflux_storage::particle::Message;
    ///
    /// let order = Message::new("{}").with_data_type("order");
    /// assert!("type = order".parse::<Query>()?.matches_message(&order, None, None));
    /// assert!(!"sequence > 0".parse::<Query>()?.matches_message(&order, None, None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn matches_message(
        &self,
        message: &Message,
        origin: Option<&Metadata>,
        data: Option<&Value>,
    ) -> bool {
        self.expr.matches(&Underway { message, origin }, data)
    }

    /// Whether the query looks into payloads, which only pipeline filters can answer.
    #[must_use]
    pub fn reads_data(&self) -> bool {
        self.expr.reads_data()
    }

    /// What the query means, in negation normal form.
    #[must_use]
    pub const fn expr(&self) -> &Expr {
        &self.expr
    }
}

impl Default for Query {
    /// Every particle.
    fn default() -> Self {
        Self::all()
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.expr, f)
    }
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let kept = text.floor_char_boundary(QUERY_BYTES_MAX);
        if let Some((kept, dropped)) = text.split_at_checked(kept)
            && !dropped.is_empty()
        {
            return Err(too_long(text.len(), "", kept));
        }
        let expr = parser::parse(text).map_err(|fault| fault.in_text(text))?;
        let query = Self { expr };
        // A text near the bound can be shorter than its canonical form, which others must read.
        let canonical_bytes = query.to_string().len();
        if canonical_bytes > QUERY_BYTES_MAX {
            return Err(too_long(canonical_bytes, " in its canonical form", text));
        }
        Ok(query)
    }
}

/// The error at the end of `text`, which is what is kept of the query.
fn too_long(bytes: usize, form: &str, text: &str) -> QueryError {
    let message = format!(
        "the query has {bytes} bytes{form}, at most {QUERY_BYTES_MAX} are allowed: \
         split it in several"
    );
    Fault::new(text.len(), message).in_text(text)
}
