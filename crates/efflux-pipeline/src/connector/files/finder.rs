//! Finds the files that are to be taken.

use std::io;
use std::path::Path;

use tokio::time::Instant;

use super::identity::Identity;
use super::limits::SCAN_STEP_ENTRIES;
use super::pattern::Patterns;
use super::place::Place;
use super::scan::{Scan, Seen};
use super::settings::FilesSettings;
use super::waiting::Waiting;
use super::watch::Tidings;

/// Finds the files that are to be taken: by what the platform tells, and by looking through the folder
/// from time to time.
#[derive(Debug)]
pub(super) struct Finder {
    patterns: Patterns,
    pub(super) waiting: Waiting,
    scan: Option<Scan>,
    /// When the next scan begins; none for at once.
    next_scan: Option<Instant>,
    /// Whether the platform told of more than could be kept since the scan began.
    scans_again: bool,
}

impl Finder {
    pub(super) fn new(settings: &FilesSettings, patterns: Patterns) -> Self {
        Self {
            patterns,
            waiting: Waiting::new(settings.settle.0, settings.rescan.0),
            scan: None,
            next_scan: None,
            scans_again: false,
        }
    }

    /// Begins from the beginning.
    pub(super) fn start_over(&mut self) {
        self.scan = None;
        self.next_scan = None;
    }

    /// Whether there is something to look at before anything else happens.
    pub(super) fn is_busy(&self) -> bool {
        self.waiting.is_ready() || self.scan.is_some() && !self.waiting.is_full()
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        let scan = self.next_scan.filter(|_| self.scan.is_none());
        [scan, self.waiting.due()].into_iter().flatten().min()
    }

    /// Looks at what the platform told of.
    pub(super) fn look_at_arrivals(
        &mut self,
        place: &Place,
        settings: &FilesSettings,
        is_underway: impl Fn(&Path) -> bool,
        now: Instant,
    ) {
        let Some(watch) = &place.watch else { return };
        let arrivals = watch.take();
        let mut needs_scan = arrivals.has_more;
        for (path, tidings) in arrivals.paths {
            let Ok(relative) = path.strip_prefix(place.root.path()) else {
                continue;
            };
            if !place.may_take(settings, relative) || is_underway(relative) {
                continue;
            }
            match place.root.identity(relative) {
                Ok(Some(identity)) if self.patterns.take(relative) => {
                    self.notice(place, relative, identity, now, tidings);
                }
                Ok(_) => needs_scan |= settings.recursive && path.is_dir(),
                Err(_) => needs_scan = true,
            }
        }
        if needs_scan && self.scan.is_some() {
            self.scans_again = true;
        } else if needs_scan {
            // Not at once: many notifications together ask for one scan.
            let soon = now + settings.settle.0.min(settings.rescan.0);
            self.next_scan = self.next_scan.map(|next| next.min(soon));
        }
    }

    /// Looks at the next entries of the folder, if it is time to.
    ///
    /// # Errors
    /// That of the folder itself, which is not there any more.
    pub(super) fn scan_a_part(
        &mut self,
        place: &Place,
        settings: &FilesSettings,
        is_underway: impl Fn(&Path) -> bool,
        now: Instant,
    ) -> io::Result<()> {
        if self.scan.is_none() {
            if self.next_scan.is_some_and(|next| next > now) {
                return Ok(());
            }
            if !place.root.is_there() {
                return Err(io::ErrorKind::NotFound.into());
            }
            self.scan = Some(Scan::begin(place.root.path())?);
        }
        for _ in 0..SCAN_STEP_ENTRIES {
            if self.waiting.is_full() {
                return Ok(());
            }
            let scan = self.scan.as_mut();
            match scan.and_then(|scan| scan.next(place, settings, &self.patterns)) {
                Some(Seen::File(path, identity)) if !is_underway(&path) => {
                    self.notice(place, &path, identity, now, Tidings::None);
                }
                Some(_) => {}
                None => {
                    self.scan = None;
                    let wait = match std::mem::take(&mut self.scans_again) {
                        true => settings.settle.0.min(settings.rescan.0),
                        false => settings.rescan.0,
                    };
                    self.next_scan = Some(now + wait);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn notice(
        &mut self,
        place: &Place,
        path: &Path,
        identity: Identity,
        now: Instant,
        tidings: Tidings,
    ) {
        if !place.disposal.is_taken(&place.root, path, identity) {
            self.waiting.notice(path, identity, now, tidings);
        }
    }
}
