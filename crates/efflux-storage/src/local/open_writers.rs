//! Which topics' files are open for writing: as many as the process has descriptors for.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustix::process::{Resource, getrlimit};

use super::writer::Writer;
use crate::limits::{OPEN_TOPICS_MAX, OPEN_TOPICS_MIN, OPEN_TOPICS_PART};

/// The writers whose files are open, in the order in which they were opened.
///
/// When there are too many, the files of one that wrote nothing since it was last looked at are
/// closed; it opens them again when it next writes.
#[derive(Debug)]
pub(super) struct OpenWriters {
    max: usize,
    writers: Mutex<VecDeque<Weak<Mutex<Writer>>>>,
}

impl OpenWriters {
    /// As many as the process's limit of descriptors allows at this moment.
    pub(super) fn within_limits() -> Self {
        let descriptors = getrlimit(Resource::Nofile).current;
        let descriptors = descriptors.map_or(usize::MAX, |descriptors| {
            usize::try_from(descriptors).unwrap_or(usize::MAX)
        });
        Self {
            max: (descriptors / OPEN_TOPICS_PART).clamp(OPEN_TOPICS_MIN, OPEN_TOPICS_MAX),
            writers: Mutex::default(),
        }
    }

    /// Counts a writer that has opened its files, and closes those of others when there are too
    /// many.
    pub(super) fn add(&self, writer: &Arc<Mutex<Writer>>) {
        let mut writers = self.writers.lock();
        writers.push_back(Arc::downgrade(writer));
        // Twice around at most: the first time a writer is passed over if it wrote something.
        for _ in 0..2 * writers.len() {
            if writers.len() <= self.max {
                return;
            }
            let Some(oldest) = writers.pop_front() else {
                return;
            };
            let is_kept = oldest
                .upgrade()
                .is_some_and(|writer| writer.try_lock().is_none_or(|mut writer| !writer.park()));
            if is_kept {
                writers.push_back(oldest);
            }
        }
    }
}
