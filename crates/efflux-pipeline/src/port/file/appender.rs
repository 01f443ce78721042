//! Adds messages at the end of files, each exactly once.
//!
//! ```text
//! record: this file, so long ─▶ append ─▶ sync ─▶ record: so much longer, and the position
//! ```
//!
//! A crash in between leaves a tail behind what the record says; opening cuts it off. A file is in
//! the record before anything is appended to it, and in that of one pipeline only.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use efflux_storage::particle::Timestamp;

use super::claims::Others;
use super::fault::fault;
use super::place::{OWN, beneath, checked};
use super::record::{Length, Record, make_folders, sync_folder_of};
use super::rotation::{is_full, set_aside};
use super::{FilePortSettings, FileSeparator};
use crate::limits::OPEN_FILES_MAX;
use crate::parcel::Parcel;
use crate::port::{Advance, Failed, Reader};
use crate::stage_error::StageError;

/// Adds messages at the end of files. While it lives, no other process does for this pipeline.
#[derive(Debug)]
pub(super) struct Appender {
    settings: FilePortSettings,
    pipeline: String,
    /// What it reads.
    source: String,
    record_path: PathBuf,
    record: Record,
    _lock: File,
}

impl Appender {
    /// Opens the folder and cuts off what no record confirms.
    pub(super) fn open(settings: &FilePortSettings, reader: &Reader) -> Result<Self, StageError> {
        let pipeline = reader.pipeline.as_str().to_owned();
        let mut settings = settings.clone();
        // However it is reached, the files of other pipelines lie in the same one.
        let folder = settings.folder.canonicalize();
        settings.folder = folder.map_err(|error| fault(&settings.folder, &error))?;
        let own = |end: &str| settings.folder.join(format!("{OWN}-{pipeline}.{end}"));
        let lock_path = own("lock");
        let lock = File::create(&lock_path).map_err(|error| fault(&lock_path, &error))?;
        match lock.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                return Err(StageError::unavailable(format!(
                    "another process writes to {} for the pipeline {pipeline}",
                    settings.folder.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(fault(&lock_path, &error)),
        }
        let record_path = own("json");
        let record = Record::load(&record_path).map_err(|error| fault(&record_path, &error))?;
        let mut appender = Self {
            settings,
            pipeline,
            source: reader.source.clone(),
            record_path,
            record,
            _lock: lock,
        };
        let checked = appender.check();
        checked.map_err(|error| match error {
            StageError::Rejected(source) => StageError::Fatal(source),
            other => other,
        })?;
        appender.cut()?;
        Ok(appender)
    }

    pub(super) fn position(&self) -> Option<u64> {
        self.record.positions.get(&self.source).copied()
    }

    /// Says that the files are this pipeline's, before anything is changed.
    fn check(&self) -> Result<(), StageError> {
        let folder = &self.settings.folder;
        let mut others = Others::new(folder, &self.record_path);
        let fixed = self.settings.path.fixed().map(checked).transpose()?;
        for name in self.record.files.keys().chain(&fixed) {
            beneath(folder, name)?;
            others.leave(name)?;
        }
        Ok(())
    }

    /// Cuts every file to the length that is recorded.
    fn cut(&mut self) -> Result<(), StageError> {
        let mut gone = Vec::new();
        for (name, length) in &self.record.files {
            let path = self.settings.folder.join(name);
            let file = match OpenOptions::new().write(true).open(&path) {
                Ok(file) => file,
                // It was set aside, whole, or taken away by somebody.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    gone.push(name.clone());
                    continue;
                }
                Err(error) => return Err(fault(&path, &error)),
            };
            let found = file.metadata().map_err(|error| fault(&path, &error))?.len();
            if found < length.bytes {
                return Err(shortened(&path, found, *length));
            }
            if found > length.bytes {
                let cut = file.set_len(length.bytes).and_then(|()| file.sync_all());
                cut.map_err(|error| fault(&path, &error))?;
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        // They are out of the record before other files have their names.
        let mut record = self.record.clone();
        record.files.retain(|name, _| !gone.contains(name));
        self.store(record)
    }

    pub(super) fn append(
        &mut self,
        parcels: &[Parcel],
        advance: Option<Advance>,
        now: Timestamp,
    ) -> Result<(), Failed> {
        if let Some(advance) = advance {
            // This process holds the lock: what stands here already was a delivery that was given up.
            let position = self.position();
            if position == Some(advance.to) && advance.from != Some(advance.to) {
                return Ok(());
            }
            if position != advance.from {
                return Err(StageError::fatal(format!(
                    "the position of the pipeline {} in {} is {:?}, not {:?}",
                    self.pipeline,
                    self.record_path.display(),
                    position,
                    advance.from
                ))
                .into());
            }
        }
        let additions = self.additions(parcels)?;
        self.make_ready(&additions, now)?;
        let mut record = self.record.clone();
        for (name, bytes) in &additions {
            let path = self.settings.folder.join(name);
            write(&path, bytes).map_err(|error| fault(&path, &error))?;
            if let Some(length) = record.files.get_mut(name) {
                length.bytes += bytes.len() as u64;
            }
        }
        if let Some(advance) = advance {
            record.positions.insert(self.source.clone(), advance.to);
        }
        if record.files.len() > OPEN_FILES_MAX {
            // What is not written to any more has no tail that would have to be cut off.
            record.files.retain(|name, _| additions.contains_key(name));
            while record.files.len() > OPEN_FILES_MAX && record.files.pop_first().is_some() {}
        }
        self.store(record)?;
        Ok(())
    }

    /// What is added to each file; or the messages that cannot be.
    fn additions(&self, parcels: &[Parcel]) -> Result<BTreeMap<String, Vec<u8>>, Failed> {
        let folder = &self.settings.folder;
        let mut others = Others::new(folder, &self.record_path);
        let mut additions: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut refused = Vec::new();
        for (at, parcel) in parcels.iter().enumerate() {
            let path = self.settings.path.render(parcel).and_then(checked);
            let added = path.and_then(|path| {
                if !additions.contains_key(&path) {
                    beneath(folder, &path)?;
                }
                if !additions.contains_key(&path) && !self.record.files.contains_key(&path) {
                    others.leave(&path)?;
                }
                let bytes = additions.entry(path).or_default();
                frame(self.settings.separator, parcel, bytes)
            });
            match added {
                Ok(()) => (),
                Err(error @ StageError::Rejected(_)) => refused.push((at, error)),
                Err(error) => return Err(error.into()),
            }
        }
        match refused.is_empty() {
            true => Ok(additions),
            false => Err(Failed::Refused(refused)),
        }
    }

    /// Sets full files aside, and makes and records those that are written to from here on.
    fn make_ready(
        &mut self,
        additions: &BTreeMap<String, Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), StageError> {
        let mut record = self.record.clone();
        for name in additions.keys() {
            self.look_at(name, &mut record, now)?;
        }
        // What was set aside is out of the record before another file has its name.
        if record != self.record {
            self.store(record.clone())?;
        }
        let mut begun = Vec::new();
        for name in additions.keys() {
            let path = self.settings.folder.join(name);
            let at = |error| fault(&path, &error);
            if record.files.contains_key(name) {
                continue;
            }
            make_folders(&self.settings.folder, name).map_err(at)?;
            let file = OpenOptions::new().create(true).append(true).open(&path);
            let bytes = file.and_then(|file| file.metadata()).map_err(at)?.len();
            sync_folder_of(&path).map_err(at)?;
            begun.push(name);
            let begun = now.nanos();
            record.files.insert(name.clone(), Length { bytes, begun });
        }
        if begun.is_empty() {
            return Ok(());
        }
        let before = self.record.clone();
        self.store(record)?;
        // Another pipeline may have recorded one of them since it was looked at: then both leave it.
        let mut others = Others::new(&self.settings.folder, &self.record_path);
        let claimed = begun.into_iter().try_for_each(|name| others.leave(name));
        if let Err(error) = claimed {
            self.store(before)?;
            return Err(StageError::unavailable(error.reason()));
        }
        Ok(())
    }

    /// Looks at a file before something is added to it: what it lacks, and whether it is full.
    fn look_at(&self, name: &str, record: &mut Record, now: Timestamp) -> Result<(), StageError> {
        let Some(length) = record.files.get_mut(name) else {
            return Ok(());
        };
        let path = self.settings.folder.join(name);
        match fs::metadata(&path).map(|found| found.len()) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                record.files.remove(name);
                return Ok(());
            }
            Err(error) => return Err(fault(&path, &error)),
            Ok(found) if found < length.bytes => return Err(shortened(&path, found, *length)),
            // This port leaves no tail while it is open: somebody else wrote it. Were it not counted,
            // so much of what comes behind it would be cut off one day.
            Ok(found) => length.bytes = found,
        }
        if is_full(&self.settings, *length, now) {
            set_aside(&path).map_err(|error| fault(&path, &error))?;
            record.files.remove(name);
        }
        Ok(())
    }

    fn store(&mut self, record: Record) -> Result<(), StageError> {
        let stored = record.store(&self.record_path);
        stored.map_err(|error| fault(&self.record_path, &error))?;
        self.record = record;
        Ok(())
    }
}

fn shortened(path: &Path, found: u64, length: Length) -> StageError {
    StageError::fatal(format!(
        "{} has {found} bytes, and {} were written: somebody changed it. Move it away to begin \
         another one",
        path.display(),
        length.bytes
    ))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().append(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// Adds a message with what parts it from the next one. What cannot be added leaves nothing.
fn frame(separator: FileSeparator, parcel: &Parcel, into: &mut Vec<u8>) -> Result<(), StageError> {
    let content = parcel.content()?;
    match separator {
        FileSeparator::None => into.extend_from_slice(&content),
        FileSeparator::Length => {
            let length = u32::try_from(content.len()).map_err(StageError::rejected)?;
            into.extend_from_slice(&length.to_le_bytes());
            into.extend_from_slice(&content);
        }
        FileSeparator::Lines => {
            let line = content.strip_suffix(b"\n").unwrap_or(&content);
            if line.contains(&b'\n') {
                return Err(StageError::rejected(
                    "the payload has a line feed in it, which parts messages in the file",
                ));
            }
            into.extend_from_slice(line);
            into.push(b'\n');
        }
    }
    Ok(())
}
