//! Files that were seen, until they rest.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::identity::Identity;
use super::limits::WAITING_FILES_MAX;
use super::watch::Tidings;

/// Files that were seen, until they rest; then in the order of their modification.
///
/// - At most 65,536 of them; what does not fit is seen again by a later scan.
#[derive(Debug)]
pub(super) struct Waiting {
    settle: Duration,
    /// How long one rests that somebody has open to write.
    open: Duration,
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
    is_open: bool,
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
    pub(super) fn new(settle: Duration, open: Duration) -> Self {
        Self {
            settle,
            open: open.max(settle),
            seen: HashMap::new(),
            ready: VecDeque::new(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.seen.len() >= WAITING_FILES_MAX
    }

    /// A file was seen. One that is complete need not rest, and one that somebody writes into rests
    /// longer: who pauses may go on.
    pub(super) fn notice(&mut self, path: &Path, identity: Identity, now: Instant, of: Tidings) {
        let was_open = self.seen.get(path).is_some_and(|sighting| sighting.is_open);
        let is_open = match of {
            Tidings::None => was_open,
            Tidings::Open => true,
            Tidings::Closed | Tidings::Renamed => false,
        };
        let wait = match of {
            Tidings::Renamed => Duration::ZERO,
            _ if is_open => self.open,
            _ => self.settle,
        };
        if let Some(sighting) = self.seen.get_mut(path) {
            let is_news = of == Tidings::Renamed || is_open != was_open;
            // One that rests is looked at again when it is taken.
            if sighting.due.is_some() && (is_news || sighting.identity != identity) {
                sighting.identity = identity;
                sighting.is_open = is_open;
                sighting.due = Some(now + wait);
            }
        } else if !self.is_full() {
            let sighting = Sighting {
                identity,
                due: Some(now + wait),
                is_open,
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
            is_open: false,
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
