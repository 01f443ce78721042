//! Which messages go on.

mod dedupe;
mod verify;

use std::fmt;

use efflux_storage::Query;
use serde_json::Value;

use crate::parcel::Parcel;
use crate::stage_error::StageError;

pub use self::dedupe::{DedupeFilter, DedupeSettings};
pub use self::verify::{VerifyFilter, VerifySettings};

/// Chooses the messages that go on to the next stage.
///
/// 1. The same message always gets the same answer, so that a redelivery goes the same way.
/// 2. A filter changes nothing and waits for nothing.
/// 3. What is not kept is done: its ticket is committed as if it had been delivered.
pub trait Filter: Send + Sync + fmt::Debug {
    /// Whether the message goes on.
    ///
    /// # Errors
    /// [`StageError::Rejected`] when the message cannot be judged.
    fn keeps(&self, parcel: &Parcel) -> Result<bool, StageError>;
}

/// Keeps the messages that match a query. Here a query may also look into a JSON payload, as in
/// `data.total > 100`.
///
/// A payload that is no JSON has no such values; it is matched as one in which they are missing.
/// What only a particle has, its sequence and when it entered Efflux, is that of the particle that
/// the message comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryFilter {
    query: Query,
}

impl QueryFilter {
    /// A filter by this query.
    #[must_use]
    pub const fn new(query: Query) -> Self {
        Self { query }
    }
}

impl Filter for QueryFilter {
    fn keeps(&self, parcel: &Parcel) -> Result<bool, StageError> {
        let origin = parcel.origin().metadata();
        let data: Option<Value> = if self.query.reads_data() {
            serde_json::from_slice(&parcel.content()?).ok()
        } else {
            None
        };
        Ok(self
            .query
            .matches_message(&parcel.message, origin, data.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::{ContentEncoding, Draft, Head, Id, Message, Stamp, Timestamp};

    fn check(query: &str, message: &Message, expect: bool) {
        let filter = QueryFilter::new(query.parse().unwrap());
        let parcel = Parcel::of_message(message.clone());
        assert_eq!(filter.keeps(&parcel).unwrap(), expect, "{query}");
    }

    #[test]
    fn metadata_and_payload_are_asked() {
        let order = Message::new("{\"total\":120}").with_data_type("order");
        check("type = order", &order, true);
        check("type = order and data.total > 100", &order, true);
        check("data.total > 200", &order, false);
        check("type = other or data.total = 120", &order, true);
    }

    #[test]
    fn a_payload_that_is_no_json_lacks_what_is_asked_for() {
        let text = Message::new("hello").with_data_type("greeting");
        check("data.total > 100", &text, false);
        check("data.total exists", &text, false);
        check("type = greeting and data.total not exists", &text, true);
    }

    #[test]
    fn a_payload_that_cannot_be_decoded_is_rejected() {
        let torn = Message::new("no gzip").with_content_encoding(ContentEncoding::Gzip);
        let filter = QueryFilter::new("data.total > 1".parse().unwrap());
        let error = filter.keeps(&Parcel::of_message(torn)).unwrap_err();
        assert!(matches!(error, StageError::Rejected(_)), "{error}");
    }

    #[test]
    fn the_sequence_is_that_of_the_particle_it_comes_from() {
        let stamp = Stamp {
            id: Id::from_uuid([7; 16]),
            created: Timestamp::from_nanos(0),
            in_batch: false,
        };
        let (head, _) = Head::root(&"orders".parse().unwrap(), &stamp).unwrap();
        let (_, particle) = head.link(Draft::encode(&Message::new("a"), &stamp).unwrap());
        let parcel = Parcel::of_particle("orders".parse().unwrap(), particle);
        let keeps = |query: &str| {
            let filter = QueryFilter::new(query.parse().unwrap());
            filter.keeps(&parcel).unwrap()
        };
        assert!(keeps("sequence = 1"));
        assert!(!keeps("sequence > 1"));
        check("sequence >= 1", &Message::new("a"), false);
    }
}
