//! What must hold for an append to happen.

use efflux_particle::{Fingerprint, Head, Sequence};

use crate::query::Query;

/// What must hold at the moment a batch is linked; when it does not, nothing is appended and the
/// error says which particle is in the way.
///
/// It is judged by the one sequencer of the topic, with everything before the batch taken into
/// account, so it cannot race with other writers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// Nothing: the append always happens.
    #[default]
    Any,
    /// The topic holds no particle but its root.
    Empty,
    /// The topic's head is this one.
    Head(Head),
    /// The last particle of this message group has this sequence; none: the group has no particle.
    Group {
        /// The message group.
        group: String,
        /// Its last particle's place.
        last: Option<Sequence>,
    },
    /// No particle after this sequence matches the query: what a decision was based on still holds,
    /// although others may have written (a dynamic consistency boundary).
    NoMatch {
        /// What the decision depends on.
        query: Query,
        /// Up to where the decider has looked.
        after: Sequence,
    },
}

/// Where a message came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The particle's place.
    pub sequence: Sequence,
    /// The particle's fingerprint.
    pub fingerprint: Fingerprint,
    /// Whether the message was there before: the same id with the same payload.
    pub duplicate: bool,
}
