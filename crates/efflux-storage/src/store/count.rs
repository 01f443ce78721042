//! How many topics a store has, so that there are never too many.

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::limits::TOPICS_MAX;
use crate::log::Backend;

/// How many topics a store has. Listing them for each new one would take longer and longer.
#[derive(Debug, Default)]
pub(super) struct Count(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    /// None before they are listed, and after what may have changed them in some other way.
    topics: Option<usize>,
    /// Those that are being made.
    making: usize,
    /// Those that were made since the store was opened.
    made: usize,
}

/// A place for a topic that is being made, until this is dropped.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a Count);

impl Count {
    /// A place for one topic more, if there may be one.
    ///
    /// # Errors
    /// `Full` when there may be none.
    pub(super) async fn place(&self, backend: &dyn Backend) -> Result<Place<'_>> {
        let before = {
            let counted = self.0.lock();
            counted.topics.is_none().then_some(counted.made)
        };
        if let Some(before) = before {
            let listed = backend.list().await?.len();
            let mut counted = self.0.lock();
            // What was made meanwhile may be listed or not.
            counted.topics = Some(listed + (counted.made - before));
        }
        let mut counted = self.0.lock();
        let count = counted.topics.unwrap_or_default() + counted.making;
        if count >= TOPICS_MAX {
            return Err(Error::new(
                ErrorKind::Full,
                format!("the store has {count} topics, no more are allowed: delete some"),
            ));
        }
        counted.making += 1;
        Ok(Place(self))
    }

    /// They are counted anew the next time, because it is not known how many there are.
    pub(super) fn forget(&self) {
        self.0.lock().topics = None;
    }
}

impl Place<'_> {
    /// The topic was made.
    pub(super) fn take(self) {
        let mut counted = self.0.0.lock();
        counted.made += 1;
        if let Some(topics) = &mut counted.topics {
            *topics += 1;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.0.lock().making -= 1;
    }
}
