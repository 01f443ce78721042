//! Which particles go on.

use std::fmt;

use efflux_storage::Query;
use efflux_storage::particle::Particle;
use efflux_storage::particle::limits::CONTENT_BYTES_DEFAULT_MAX;
use serde_json::Value;

use crate::stage_error::StageError;

/// Chooses the particles that go on to the next stage.
///
/// 1. The same particle always gets the same answer, so that a redelivery goes the same way.
/// 2. A filter changes nothing and waits for nothing.
/// 3. A particle that is not kept is done: it is committed like one that was delivered.
pub trait Filter: Send + Sync + fmt::Debug {
    /// Whether the particle goes on.
    ///
    /// # Errors
    /// [`StageError::Rejected`] when the particle cannot be judged.
    fn keeps(&self, particle: &Particle) -> Result<bool, StageError>;
}

/// Keeps the particles that match a query. Here a query may also look into a JSON payload, as in
/// `data.total > 100`.
///
/// A payload that is no JSON has no such values; it is matched as one in which they are missing.
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
    fn keeps(&self, particle: &Particle) -> Result<bool, StageError> {
        let metadata = particle.metadata();
        if !self.query.reads_data() {
            return Ok(self.query.matches(metadata));
        }
        let content = particle
            .content(CONTENT_BYTES_DEFAULT_MAX)
            .map_err(|error| StageError::Rejected(error.into()))?;
        Ok(match serde_json::from_slice::<Value>(&content) {
            Ok(data) => self.query.matches_with_data(metadata, &data),
            Err(_) => self.query.matches(metadata),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::{Draft, Head, Id, Message, Stamp, Timestamp};

    fn particle(message: &Message) -> Particle {
        let stamp = Stamp {
            id: Id::from_uuid([7; 16]),
            created: Timestamp::from_nanos(0),
            in_batch: false,
        };
        let (head, _) = Head::root(&"orders".parse().unwrap(), &stamp).unwrap();
        head.link(Draft::encode(message, &stamp).unwrap()).1
    }

    fn check(query: &str, message: &Message, expect: bool) {
        let filter = QueryFilter::new(query.parse().unwrap());
        assert_eq!(filter.keeps(&particle(message)).unwrap(), expect, "{query}");
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
        let torn = Message::new("no gzip")
            .with_content_encoding(efflux_storage::particle::ContentEncoding::Gzip);
        let filter = QueryFilter::new("data.total > 1".parse().unwrap());
        let error = filter.keeps(&particle(&torn)).unwrap_err();
        assert!(matches!(error, StageError::Rejected(_)), "{error}");
    }
}
