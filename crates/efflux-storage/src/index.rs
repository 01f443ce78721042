//! The index: follows the logs of a store's topics and answers where to look.
//!
//! It knows a topic by nothing but its [`TopicLog`], and everything in it is derived: deleting its
//! folder changes no answer. It is built on one thread, off the path of appends; what it has not
//! seen yet is scanned ([`crate::find`]) or waited for. docs/index-layout.md tells the layout and
//! what happens when it breaks.
//!
//! ```text
//! log ─▶ follow ─▶ build ─▶ assembly ─▶ table     one run of particles after the other
//!                            ▲  merge ◀─┤         short runs become long ones
//! find ◀─ candidates ◀─ plan ◀──────────┘         lists joined by chunks of 65,536 particles
//! ```

mod assembly;
mod attach;
mod build;
mod candidates;
mod follow;
mod held;
mod ids;
mod key;
mod list;
mod merge;
mod place;
mod plan;
mod rare;
mod run;
mod set;
mod shared;
mod sweep;
mod term;
#[cfg(test)]
mod tests;
mod topic;
mod varint;
mod zones;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use efflux_particle::TopicName;

pub(crate) use self::candidates::{Candidates, Order};
use self::shared::Shared;
pub(crate) use self::topic::TopicIndex;
use crate::error::{Error, ErrorKind, Result};
use crate::log::TopicLog;

/// The number by which a topic is known in the table. It is never given to another topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct TopicNumber(u32);

/// Largest number of a topic: point keys hold it with two bits more.
const TOPIC_NUMBER_MAX: u32 = u32::MAX / 4 - 1;

/// The index of a store. Making one opens nothing.
pub(crate) struct Index {
    shared: Arc<Shared>,
}

impl Index {
    /// An index in this folder, or in memory.
    ///
    /// # Errors
    /// None yet: what is wrong with the folder is found out, and mended, when it is needed.
    pub(crate) fn new(folder: Option<PathBuf>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            shared: Arc::new(Shared::new(folder)),
        }))
    }

    /// Follows a topic, in place of whoever followed one of this name before.
    pub(crate) fn follow(&self, log: Arc<dyn TopicLog>) -> Arc<TopicIndex> {
        self.shared.follow(log)
    }

    /// Stops following a topic; what was indexed stays.
    pub(crate) fn unfollow(&self, topic: &TopicName) {
        self.shared.unfollow(topic);
    }

    /// Stops following a topic that was deleted, and lets its entries go.
    pub(crate) fn forget(&self, topic: &TopicName) {
        self.shared.forget(topic);
    }

    /// Brings the index up to the heads of its topics, when it was opened, and ends its thread.
    pub(crate) fn close(&self) {
        self.shared.close(true);
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.shared.close(false);
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}

fn unavailable(message: &str) -> Error {
    Error::new(ErrorKind::Unavailable, message)
}

/// What stands in the table cannot be read.
fn damaged() -> Error {
    unavailable("the index is damaged and will be built anew")
}
