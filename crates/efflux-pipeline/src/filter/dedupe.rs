//! Leaves out messages whose key was there before.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use serde::Deserialize;

use super::Filter;
use crate::derived_id::derived_id;
use crate::limits::REMEMBERED_KEYS_MAX;
use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::template::Template;

/// What makes two messages the same, and how many are remembered.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct DedupeSettings {
    /// Messages for which this becomes the same text are the same.
    pub key: Template,
    /// How many keys are remembered: 1 to 1,000,000.
    #[serde(default = "DedupeSettings::last")]
    #[cfg_attr(feature = "file", schemars(range(min = 1, max = REMEMBERED_KEYS_MAX)))]
    pub last: usize,
}

impl DedupeSettings {
    const fn last() -> usize {
        100_000
    }
}

/// Leaves out messages whose key was there before, among the last so many.
///
/// A message that comes again because it was not delivered has the id it had: it goes on, so that
/// none is lost. Keys are held in memory; a restart forgets them. A topic that is appended to leaves
/// out ids it has without this, for ever.
#[derive(Debug)]
pub struct DedupeFilter {
    key: Template,
    last: usize,
    seen: Mutex<Seen>,
}

type Digest = [u8; 16];

/// For each key the message that had it first, by digests of both.
#[derive(Debug, Default)]
struct Seen {
    first: HashMap<Digest, Digest>,
    order: VecDeque<Digest>,
}

impl DedupeFilter {
    /// A filter by these settings.
    ///
    /// # Errors
    /// A number of keys that is out of bounds.
    pub fn new(settings: DedupeSettings) -> Result<Self, String> {
        let DedupeSettings { key, last } = settings;
        if !(1..=REMEMBERED_KEYS_MAX).contains(&last) {
            return Err(format!(
                "{last} keys to remember: 1 to {REMEMBERED_KEYS_MAX} are allowed"
            ));
        }
        Ok(Self {
            key,
            last,
            seen: Mutex::default(),
        })
    }
}

fn digest(text: &str) -> Digest {
    derived_id(&[text.as_bytes()])
        .uuid()
        .copied()
        .unwrap_or_default()
}

impl Filter for DedupeFilter {
    fn keeps(&self, parcel: &Parcel) -> Result<bool, StageError> {
        let key = digest(&self.key.render(parcel)?);
        let id = parcel.message.id().map(ToString::to_string);
        let id = digest(&id.unwrap_or_default());
        let mut seen = self.seen.lock();
        if let Some(first) = seen.first.get(&key) {
            return Ok(*first == id);
        }
        if seen.order.len() >= self.last
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.first.remove(&oldest);
        }
        seen.first.insert(key, id);
        seen.order.push_back(key);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::Message;

    fn keeps(filter: &DedupeFilter, id: &str, order: &str) -> bool {
        let message = Message::new("a").with_property("order", order);
        let parcel = Parcel::of_message(message.with_id(id.parse().unwrap()));
        filter.keeps(&parcel).unwrap()
    }

    fn filter(last: usize) -> DedupeFilter {
        let key = "{properties.order}".parse().unwrap();
        DedupeFilter::new(DedupeSettings { key, last }).unwrap()
    }

    #[test]
    fn another_message_with_the_same_key_is_left_out_and_the_same_one_comes_again() {
        let filter = filter(10);
        assert!(keeps(&filter, "m-1", "7"));
        assert!(!keeps(&filter, "m-2", "7"));
        assert!(keeps(&filter, "m-1", "7"), "it is delivered again");
        assert!(keeps(&filter, "m-3", "8"));
    }

    #[test]
    fn the_oldest_keys_are_forgotten() {
        let filter = filter(2);
        for (id, order) in [("m-1", "1"), ("m-2", "2"), ("m-3", "3")] {
            assert!(keeps(&filter, id, order));
        }
        assert!(keeps(&filter, "m-4", "1"));
        assert!(!keeps(&filter, "m-5", "3"));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let key: Template = "{id}".parse().unwrap();
        for last in [0, REMEMBERED_KEYS_MAX + 1] {
            let settings = DedupeSettings {
                key: key.clone(),
                last,
            };
            assert!(DedupeFilter::new(settings).is_err());
        }
    }
}
