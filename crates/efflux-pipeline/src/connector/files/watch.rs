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

/// What notifications told of.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Paths, and whether each was renamed to what it is.
    pub(super) paths: BTreeMap<PathBuf, bool>,
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
        let is_renamed = match event.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => true,
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => {
                event.paths.drain(..event.paths.len().min(1));
                true
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => return false,
            EventKind::Create(_)
            | EventKind::Modify(_)
            | EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            _ => return self.has_more,
        };
        for path in event.paths {
            if self.paths.len() >= ARRIVALS_MAX && !self.paths.contains_key(&path) {
                self.has_more = true;
            } else {
                let renamed = self.paths.entry(path).or_default();
                *renamed |= is_renamed;
            }
        }
        true
    }
}
