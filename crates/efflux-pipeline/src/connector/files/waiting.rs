//! Files that were seen, until they rest.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::identity::Identity;
use super::limits::WAITING_FILES_MAX;

/// Files that were seen, until they rest; then in the order of their modification.
///
/// - At most 65,536 of them; what does not fit is seen again by a later scan.
#[derive(Debug)]
pub(super) struct Waiting {
    settle: Duration,
    /// All of them, by their paths.
    seen: HashMap<PathBuf, Sighting>,
    /// Those that rest.
    ready: VecDeque<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
struct Sighting {
    identity: Identity,
    /// When it rests; none when it does.
    due: Option<Instant>,
    failures: u32,
}

/// A file that rests.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    /// How often it could not be read.
    pub(super) failures: u32,
}

impl Waiting {
    pub(super) fn new(settle: Duration) -> Self {
        Self {
            settle,
            seen: HashMap::new(),
            ready: VecDeque::new(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.seen.len() >= WAITING_FILES_MAX
    }

    /// A file was seen. One that is complete need not rest.
    pub(super) fn notice(&mut self, path: &Path, identity: Identity, now: Instant, complete: bool) {
        let wait = if complete {
            Duration::ZERO
        } else {
            self.settle
        };
        if let Some(sighting) = self.seen.get_mut(path) {
            // One that rests is looked at again when it is taken.
            if sighting.due.is_some() && (complete || sighting.identity != identity) {
                sighting.identity = identity;
                sighting.due = Some(now + wait);
            }
        } else if !self.is_full() {
            let sighting = Sighting {
                identity,
                due: Some(now + wait),
                failures: 0,
            };
            self.seen.insert(path.to_path_buf(), sighting);
        }
    }

    /// A file that was taken comes again when `due`; it could not be read this often.
    pub(super) fn again(&mut self, file: Ready, due: Instant) {
        let sighting = Sighting {
            identity: file.identity,
            due: Some(due),
            failures: file.failures,
        };
        self.seen.insert(file.path, sighting);
    }

    /// The next file that rests.
    pub(super) fn take(&mut self, now: Instant) -> Option<Ready> {
        if self.ready.is_empty() {
            let mut rested = Vec::new();
            for (path, sighting) in &mut self.seen {
                if sighting.due.is_some_and(|due| due <= now) {
                    sighting.due = None;
                    rested.push((sighting.identity.modified, path.clone()));
                }
            }
            rested.sort_unstable();
            self.ready.extend(rested.into_iter().map(|(_, path)| path));
        }
        let path = self.ready.pop_front()?;
        let sighting = self.seen.remove(&path)?;
        Some(Ready {
            path,
            identity: sighting.identity,
            failures: sighting.failures,
        })
    }

    /// Whether there are files that are known to rest.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When the next file rests.
    pub(super) fn due(&self) -> Option<Instant> {
        self.seen.values().filter_map(|sighting| sighting.due).min()
    }
}
