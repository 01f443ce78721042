//! The platform's notifications about a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::limits::ARRIVALS_MAX;

/// The platform's notifications about a folder. They come until this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    arrivals: Arc<Mutex<Arrivals>>,
    _watcher: RecommendedWatcher,
}

/// What is known of a file beside what can be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tidings {
    /// Nothing.
    #[default]
    None,
    /// Somebody wrote into it, and has not closed it since.
    Open,
    /// Who wrote into it closed it.
    Closed,
    /// It was renamed to what it is, and is complete by that.
    Renamed,
}

/// What notifications told of.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Paths, and what was told of each last.
    pub(super) paths: BTreeMap<PathBuf, Tidings>,
    /// Whether there was more than could be kept.
    pub(super) has_more: bool,
}

impl Watch {
    /// Watches a folder; each notification wakes `wake`.
    pub(super) fn begin(
        folder: &Path,
        is_recursive: bool,
        wake: Arc<Notify>,
    ) -> notify::Result<Self> {
        let arrivals = Arc::new(Mutex::new(Arrivals::default()));
        let told = Arc::clone(&arrivals);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if told.lock().add(event) {
                wake.notify_one();
            }
        })?;
        let mode = match is_recursive {
            true => RecursiveMode::Recursive,
            false => RecursiveMode::NonRecursive,
        };
        watcher.watch(folder, mode)?;
        Ok(Self {
            arrivals,
            _watcher: watcher,
        })
    }

    pub(super) fn take(&self) -> Arrivals {
        std::mem::take(&mut self.arrivals.lock())
    }
}

impl Arrivals {
    /// Adds what an event tells; returns whether that is anything.
    fn add(&mut self, event: notify::Result<Event>) -> bool {
        let Ok(mut event) = event else {
            self.has_more = true;
            return true;
        };
        if event.need_rescan() {
            self.has_more = true;
        }
        let tidings = match event.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Tidings::Renamed,
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => {
                event.paths.drain(..event.paths.len().min(1));
                Tidings::Renamed
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => return false,
            // Only Linux tells when a file is closed.
            EventKind::Modify(ModifyKind::Data(_)) if cfg!(target_os = "linux") => Tidings::Open,
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Tidings::Closed,
            EventKind::Create(_) | EventKind::Modify(_) => Tidings::None,
            _ => return self.has_more,
        };
        for path in event.paths {
            if self.paths.len() >= ARRIVALS_MAX && !self.paths.contains_key(&path) {
                self.has_more = true;
            } else {
                let last = self.paths.entry(path).or_default();
                if tidings != Tidings::None {
                    *last = tidings;
                }
            }
        }
        true
    }
}
