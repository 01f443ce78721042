//! A topic as a plain list: what the answers must be.

use efflux_node::storage::ErrorKind;
use efflux_node::storage::particle::Message;

/// What an append expects, in numbers: the stores' fingerprints differ, because their roots do.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    Any,
    Empty,
    /// The head of that sequence, with its true fingerprint or another one.
    Head {
        sequence: u64,
        is_true: bool,
    },
    Group {
        group: String,
        last: Option<u64>,
    },
    NoMatch {
        data_type: String,
        after: u64,
    },
}

/// Where a message came to stand, and whether it was there before.
pub(crate) type Place = (u64, bool);

/// The messages of a topic; the one at place 0 has sequence 1.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) messages: Vec<Message>,
}

impl Oracle {
    pub(crate) fn head(&self) -> u64 {
        self.messages.len() as u64
    }

    fn find(&self, message: &Message) -> Option<(u64, &Message)> {
        let mut sequences = (1..).zip(&self.messages);
        sequences.find(|(_, there)| there.id() == message.id())
    }

    /// Appends a batch, or says why not.
    pub(crate) fn append(
        &mut self,
        batch: &[Message],
        expected: &Expected,
    ) -> Result<Vec<Place>, ErrorKind> {
        let mut after = self.clone();
        let mut places = Vec::new();
        for message in batch {
            places.push(match after.find(message) {
                Some((sequence, there)) if there.payload() == message.payload() => (sequence, true),
                Some(_) => return Err(ErrorKind::Conflict),
                None => {
                    after.messages.push(message.clone());
                    (after.head(), false)
                }
            });
        }
        if places.iter().any(|(_, is_there)| !is_there) && !self.holds(expected) {
            return Err(ErrorKind::Conflict);
        }
        *self = after;
        Ok(places)
    }

    fn holds(&self, expected: &Expected) -> bool {
        let last = |matches: &dyn Fn(&Message) -> bool| {
            let mut found = (1..).zip(&self.messages).filter(|(_, m)| matches(m));
            found.by_ref().last().map(|(sequence, _)| sequence)
        };
        match expected {
            Expected::Any => true,
            Expected::Empty => self.messages.is_empty(),
            Expected::Head { sequence, is_true } => *is_true && *sequence == self.head(),
            Expected::Group { group, last: place } => {
                last(&|message| message.message_group() == Some(group)) == *place
            }
            Expected::NoMatch { data_type, after } => {
                last(&|message| message.data_type() == Some(data_type)) <= Some(*after)
            }
        }
    }
}
