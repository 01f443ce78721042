//! Makes intakes of the files of a folder, and puts the files away.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::disposal::PutAway;
use super::finder::Finder;
use super::identity::Identity;
use super::limits::{EMPTY_TURNS_MAX, LEFT_FILES_MAX, READ_AGAIN_MIN, READ_ATTEMPTS_MAX};
use super::pattern::Patterns;
use super::place::Place;
use super::reading::Reading;
use super::records::{Next, Record, Records};
use super::settings::FilesSettings;
use super::taken::{Ending, Taken, TakenId};
use super::waiting::Ready;
use super::watch::Tidings;
use crate::connector::{Intake, IntakeMax, IntakeReceipt};
use crate::parcel::Parcel;
use crate::stage_error::StageError;

/// Makes intakes of the files of a folder, and puts the files away when these are answered.
///
/// It does its work in steps that wait for nothing but the disk.
#[derive(Debug)]
pub(super) struct Feed {
    settings: FilesSettings,
    wake: Arc<Notify>,
    place: Option<Place>,
    was_there: bool,
    finder: Finder,
    reading: Option<Reading>,
    /// The files that are under way.
    taken: HashMap<TakenId, Taken>,
    paths: HashMap<PathBuf, TakenId>,
    intakes: HashMap<IntakeReceipt, Vec<TakenId>>,
    /// Files that are delivered and could not be put away.
    left: Vec<Left>,
    numbers: u64,
}

/// A file that is delivered and could not be put away.
#[derive(Debug)]
struct Left {
    file: TakenId,
    /// When it is tried again.
    due: Instant,
    /// Why it could not be.
    why: String,
    /// Whether that concerns the disk, and so all files.
    is_of_the_disk: bool,
}

/// What a step came to.
#[derive(Debug)]
pub(super) enum Step {
    Intake(Intake),
    /// There is more to do at once.
    More,
    /// There is nothing to do before this.
    Wait(Instant),
}

impl Feed {
    pub(super) fn new(settings: FilesSettings, patterns: Patterns, wake: Arc<Notify>) -> Self {
        Self {
            finder: Finder::new(&settings, patterns),
            settings,
            wake,
            place: None,
            was_there: false,
            reading: None,
            taken: HashMap::new(),
            paths: HashMap::new(),
            intakes: HashMap::new(),
            left: Vec::new(),
            numbers: 0,
        }
    }

    /// Does the next part of the work.
    pub(super) fn step(&mut self, max: IntakeMax, now: Instant) -> Result<Step, StageError> {
        if self.place.is_none() {
            self.place = Some(Place::open(&self.settings, self.was_there, &self.wake)?);
            self.was_there = true;
            self.finder.start_over();
        }
        self.put_left_away(now)?;
        self.find(now)?;
        if let Some(intake) = self.fill(max, now) {
            return Ok(Step::Intake(intake));
        }
        if self.finder.is_busy() {
            return Ok(Step::More);
        }
        let far = now + self.settings.rescan.0;
        let left = self.left.iter().map(|left| left.due);
        let due = left.chain(self.finder.due()).min();
        Ok(Step::Wait(due.map_or(far, |due| due.min(far))))
    }

    /// Says that an intake is delivered.
    pub(super) fn ack(&mut self, receipt: IntakeReceipt, now: Instant) -> Result<(), StageError> {
        self.answer(receipt, now)
    }

    /// Says that an intake was not delivered: its files come again.
    pub(super) fn nack(&mut self, receipt: IntakeReceipt, now: Instant) -> Result<(), StageError> {
        for file in self.intakes.get(&receipt).into_iter().flatten() {
            if self.reading.as_ref().is_some_and(|it| it.file == *file) {
                self.reading = None;
            }
            if let Some(taken) = self.taken.get_mut(file) {
                taken.ending = Some(Ending::GivenBack);
            }
        }
        self.answer(receipt, now)
    }

    /// Lets go of the folder.
    pub(super) fn close(&mut self) {
        self.reading = None;
        self.place = None;
    }

    fn find(&mut self, now: Instant) -> Result<(), StageError> {
        let Some(place) = &self.place else {
            return Ok(());
        };
        let (settings, paths) = (&self.settings, &self.paths);
        let is_underway = |path: &std::path::Path| paths.contains_key(path);
        self.finder
            .look_at_arrivals(place, settings, is_underway, now);
        let scanned = self.finder.scan_a_part(place, settings, is_underway, now);
        if let Err(error) = scanned {
            let folder = settings.folder.display();
            let told = format!("the folder {folder} was there and cannot be read: {error}");
            self.place = None;
            return Err(StageError::unavailable(told));
        }
        Ok(())
    }

    /// Reads as many records as fit into an intake; none when there are none.
    fn fill(&mut self, max: IntakeMax, now: Instant) -> Option<Intake> {
        let receipt = IntakeReceipt(self.numbers);
        let mut intake = Intake::new(receipt, []);
        let mut files: Vec<TakenId> = Vec::new();
        let (mut count, mut bytes) = (0, 0);
        while count < max.messages {
            let Some((file, record)) = self.next_record(now) else {
                break;
            };
            if count > 0 && bytes + record.payload.len() > max.bytes {
                if let Some(reading) = &mut self.reading {
                    reading.hold(record);
                }
                break;
            }
            count += 1;
            bytes += record.payload.len();
            let Some(taken) = self.taken.get_mut(&file) else {
                continue;
            };
            if files.last() != Some(&file) {
                files.push(file);
                taken.outstanding += 1;
            }
            let (message, refused) = taken.message(&self.settings, record);
            match refused {
                None => intake.parcels.push(Parcel::of_message(message)),
                Some(why) => {
                    taken.is_refused = true;
                    intake.refused.push((message, StageError::rejected(why)));
                }
            }
        }
        if files.is_empty() {
            return None;
        }
        self.numbers += 1;
        self.intakes.insert(receipt, files);
        Some(intake)
    }

    /// The next record, of the file that is being read or of the next that rests.
    fn next_record(&mut self, now: Instant) -> Option<(TakenId, Record)> {
        for _ in 0..EMPTY_TURNS_MAX {
            let Some(reading) = &mut self.reading else {
                self.begin_reading(now)?;
                continue;
            };
            let file = reading.file;
            let ending = match reading.next() {
                Ok(Next::Record(record)) => return Some((file, record)),
                Ok(Next::End) => Ending::Whole,
                Ok(Next::Changed) => Ending::Changed,
                Err(_) => Ending::Failed(reading.failures + 1),
            };
            self.reading = None;
            if let Some(taken) = self.taken.get_mut(&file) {
                taken.ending = Some(ending);
            }
            // What cannot be put away is tried again by the next step, which tells why.
            let _ = self.settle(file, now);
        }
        None
    }

    /// Opens the next file that rests; none when there is none.
    fn begin_reading(&mut self, now: Instant) -> Option<()> {
        let place = self.place.as_ref()?;
        let ready = self.finder.waiting.take(now)?;
        match place.root.file(&ready.path) {
            // Who took it away wants it elsewhere.
            Ok(None) => {}
            Ok(Some((_, identity))) if identity != ready.identity => {
                self.finder
                    .waiting
                    .notice(&ready.path, identity, now, Tidings::None);
            }
            Ok(Some((file, identity))) => {
                let records = Records::new(file, identity, &self.settings.form);
                let id = self.take(ready.path, identity);
                self.reading = Some(Reading::new(id, records, ready.failures));
            }
            Err(error) => {
                let is_denied = error.kind() == io::ErrorKind::PermissionDenied;
                if is_denied || ready.failures + 1 >= READ_ATTEMPTS_MAX {
                    let id = self.take(ready.path, ready.identity);
                    self.reading = Some(Reading::refused(id, &error));
                } else {
                    let failures = ready.failures + 1;
                    let due = now + self.wait_to_read_again();
                    self.finder.waiting.again(Ready { failures, ..ready }, due);
                }
            }
        }
        Some(())
    }

    fn wait_to_read_again(&self) -> Duration {
        self.settings.settle.0.max(READ_AGAIN_MIN)
    }

    fn take(&mut self, path: PathBuf, identity: Identity) -> TakenId {
        let id = TakenId(self.numbers);
        self.numbers += 1;
        self.paths.insert(path.clone(), id);
        self.taken.insert(id, Taken::new(path, identity));
        id
    }

    fn answer(&mut self, receipt: IntakeReceipt, now: Instant) -> Result<(), StageError> {
        let mut answered = Ok(());
        for file in self.intakes.remove(&receipt).into_iter().flatten() {
            if let Some(taken) = self.taken.get_mut(&file) {
                taken.outstanding = taken.outstanding.saturating_sub(1);
            }
            answered = answered.and(self.settle(file, now));
        }
        answered
    }

    /// Does what is to be done with a file of which nothing is under way any more.
    fn settle(&mut self, file: TakenId, now: Instant) -> Result<(), StageError> {
        let Some(taken) = self.taken.get(&file) else {
            return Ok(());
        };
        let Some(ending) = taken.ending.filter(|_| taken.outstanding == 0) else {
            return Ok(());
        };
        let due = match ending {
            Ending::Whole => return self.put_away(file, now),
            Ending::GivenBack => now,
            Ending::Changed => now + self.settings.settle.0,
            Ending::Failed(_) => now + self.wait_to_read_again(),
        };
        if let Some(Taken { path, identity, .. }) = self.let_go(file) {
            let failures = match ending {
                Ending::Failed(failures) => failures,
                _ => 0,
            };
            let ready = Ready {
                path,
                identity,
                failures,
            };
            self.finder.waiting.again(ready, due);
        }
        Ok(())
    }

    /// Tries again what could not be put away. The other files go on meanwhile.
    ///
    /// # Errors
    /// `Unavailable` when they must not: there are too many, or it is the disk that fails.
    fn put_left_away(&mut self, now: Instant) -> Result<(), StageError> {
        let Some(why) = self.left.first().map(|left| left.why.clone()) else {
            return Ok(());
        };
        if let Some(place) = &mut self.place {
            let reopened = place.reopen_disposal(&self.settings);
            reopened.map_err(|error| StageError::unavailable(format!("{why} ({error})")))?;
        }
        let is_held_up = self.is_held_up();
        for left in std::mem::take(&mut self.left) {
            if left.due > now && !is_held_up {
                self.left.push(left);
            } else if let Err(error) = self.put_away(left.file, now) {
                tracing::warn!("{error}");
            }
        }
        match self.left.first() {
            Some(left) if self.is_held_up() => Err(StageError::unavailable(left.why.clone())),
            _ => Ok(()),
        }
    }

    /// Whether nothing more may be read before something is put away.
    fn is_held_up(&self) -> bool {
        self.left.len() >= LEFT_FILES_MAX || self.left.iter().any(|left| left.is_of_the_disk)
    }

    fn put_away(&mut self, file: TakenId, now: Instant) -> Result<(), StageError> {
        let Some(taken) = self.taken.get(&file) else {
            return Ok(());
        };
        let Some(place) = &self.place else {
            self.left.push(Left {
                file,
                due: now,
                why: format!("{} is delivered", taken.path.display()),
                is_of_the_disk: false,
            });
            return Ok(());
        };
        let Taken { path, identity, .. } = taken;
        let (disposal, root) = (&place.disposal, &place.root);
        match disposal.put_away(root, path, *identity, taken.is_refused) {
            Ok(PutAway::Done) => {
                self.let_go(file);
                Ok(())
            }
            Ok(PutAway::Changed(found)) => {
                if let Some(taken) = self.let_go(file) {
                    self.finder
                        .waiting
                        .notice(&taken.path, found, now, Tidings::None);
                }
                Ok(())
            }
            Err(error) => {
                let path = path.display();
                let why = format!("{path} is delivered and cannot be put away: {error}");
                self.left.push(Left {
                    file,
                    due: now + self.settings.rescan.0,
                    why: why.clone(),
                    is_of_the_disk: is_of_the_disk(&error),
                });
                Err(StageError::unavailable(why))
            }
        }
    }

    fn let_go(&mut self, file: TakenId) -> Option<Taken> {
        let taken = self.taken.remove(&file)?;
        self.paths.remove(&taken.path);
        Some(taken)
    }
}

/// Whether an error is that of the whole disk and not of one file.
fn is_of_the_disk(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::StaleNetworkFileHandle
    )
}
