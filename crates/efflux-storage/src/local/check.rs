//! Checking everything that is stored of a topic, without writing.

mod frames;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::thread;

use efflux_particle::{Chain, Head, Particle, Sequence};
use tokio::sync::oneshot;

use self::frames::{Found, Frames, Hashing};
use super::files::{
    CONSUMERS_FOLDER, HEAD_FILE, JOURNAL_SUFFIX, TopicFiles, list_segments, offsets_name,
    read_topic_file, segment_name,
};
use super::head_record::{HeadRecord, Slots};
use super::offsets::Offsets;
use crate::disk::{DiskFile, read_file};
use crate::error::{Error, ErrorKind, Result};
use crate::journal;
use crate::limits::OFFSETS_FILE_BYTES_MAX;
use crate::verify::{Progress, Verified};

/// Particles between two calls of the progress.
const TELL_EVERY: u64 = 4096;

/// Reads and checks every byte that is stored of a topic, for as long as somebody wants to know.
fn check(
    files: &Arc<TopicFiles>,
    progress: &Progress,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Verified> {
    read_topic_file(&*files.disk, &files.folder, &files.topic)?;
    let mut check = Check {
        files,
        progress,
        is_wanted,
        chain: None,
        particles: 0,
        bytes: 0,
        notes: Vec::new(),
    };
    let record = check.read_record()?;
    let firsts = list_segments(&*files.disk, &files.folder)
        .map_err(|error| Error::io(format!("cannot list {}", files.folder.display()), error))?;
    let mut hashing = Hashing::on_all_cores();
    for (place, first) in firsts.iter().enumerate() {
        let next = firsts.get(place + 1).copied();
        check.segment((*first, next), record.as_ref(), &mut hashing)?;
    }
    match &record {
        Some(record) => check.reached(record)?,
        None => return Err(check.missing_record()),
    }
    check.journals()?;
    let head = check.at().ok_or_else(|| check.missing_root())?;
    let segments = firsts.len() as u64;
    let Check {
        particles,
        bytes,
        notes,
        ..
    } = check;
    progress.tell(particles, bytes);
    Ok(Verified {
        particles,
        bytes,
        segments,
        head,
        notes,
    })
}

/// Runs [`check`] on a thread of its own: it takes as long as the topic is large. The check ends
/// early when nobody waits for it any more.
pub(super) async fn check_aside(files: Arc<TopicFiles>, progress: Progress) -> Result<Verified> {
    let (answer, answered) = oneshot::channel();
    let check = move || {
        let checked = check(&files, &progress, &|| !answer.is_closed());
        let _ = answer.send(checked);
    };
    thread::Builder::new()
        .name("efflux-verify".to_owned())
        .spawn(check)
        .map_err(|error| Error::io("cannot start a thread", error))?;
    let message = "the check stopped at a defect of this program; please report it";
    answered
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, message)))
}

struct Check<'a> {
    files: &'a Arc<TopicFiles>,
    progress: &'a Progress,
    is_wanted: &'a dyn Fn() -> bool,
    chain: Option<Chain>,
    particles: u64,
    bytes: u64,
    notes: Vec<String>,
}

impl Check<'_> {
    /// The HEAD record; none when no copy of it is whole, which is told when all else is checked.
    fn read_record(&mut self) -> Result<Option<HeadRecord>> {
        let path = self.files.path(HEAD_FILE);
        let unreadable = |error| Error::io(format!("cannot read {}", path.display()), error);
        let file = match self.files.disk.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(unreadable)?,
        };
        let slots = Slots::read(&*file).map_err(unreadable)?;
        if slots.newest.is_some() {
            for at in &slots.damaged {
                self.notes.push(format!(
                    "{HEAD_FILE} offset={at}: one of its two copies is damaged; the other is whole"
                ));
            }
        }
        Ok(slots.newest)
    }

    fn missing_record(&self) -> Error {
        let head = self
            .at()
            .map_or("nothing".to_owned(), |head| head.to_string());
        let problem = format!(
            "no copy of the HEAD record is whole; the stream itself checks up to {head}. If that is \
             where the topic should stand, remove the file HEAD: it is then made anew"
        );
        self.files.damage(HEAD_FILE, 0, None, problem)
    }

    fn missing_root(&self) -> Error {
        let problem = "expected the topic's root, found nothing".to_owned();
        self.files.damage(
            &segment_name(Sequence::ROOT),
            0,
            Some(Sequence::ROOT),
            problem,
        )
    }

    /// The last particle that was checked.
    fn at(&self) -> Option<Head> {
        self.chain.map(Chain::head)
    }

    fn next(&self) -> Sequence {
        self.at()
            .map_or(Sequence::ROOT, |head| head.sequence.next())
    }

    /// Whether everything that was acknowledged has been checked.
    fn is_past(&self, record: Option<&HeadRecord>) -> bool {
        let Some(record) = record else { return false };
        self.at()
            .is_some_and(|head| head.sequence >= record.head.sequence)
    }

    fn segment(
        &mut self,
        (first, next): (Sequence, Option<Sequence>),
        record: Option<&HeadRecord>,
        hashing: &mut Hashing,
    ) -> Result<()> {
        let name = segment_name(first);
        if let Some(record) = record.filter(|record| first > record.end.segment) {
            // A later one than that was begun by the writer since the record was read.
            if first <= record.head.sequence {
                self.notes
                    .push(format!("{name}: left over from an unfinished recovery"));
            }
            return Ok(());
        }
        if first != self.next() {
            let problem = format!(
                "expected a segment that begins with sequence {}",
                self.next()
            );
            return Err(self.files.damage(&name, 0, Some(self.next()), problem));
        }
        let file = self.files.open_segment(first)?;
        let until = match record {
            Some(record) if first == record.end.segment => record.end.byte,
            _ => u64::MAX,
        };
        let mut offsets = Offsets::starting_at(first);
        let mut frames = hashing.frames(&*file, until);
        let end = self.walk((first, next), &mut frames, &mut offsets, record)?;
        drop(frames);
        let notes = self.notes.len();
        self.check_end(&name, &*file, end, next, record)?;
        self.check_table(first, &offsets);
        if let Some(record) = record.filter(|record| first >= record.end.segment)
            && self.notes.len() > notes
            && !self.is_newest(record)?
        {
            // The writer went on meanwhile: what stands behind is new, not left over.
            self.notes.truncate(notes);
        }
        Ok(())
    }

    /// Whether the topic was not written to since the record was read.
    fn is_newest(&self, record: &HeadRecord) -> Result<bool> {
        let path = self.files.path(HEAD_FILE);
        let read = self
            .files
            .disk
            .open(&path)
            .and_then(|file| Slots::read(&*file));
        let slots =
            read.map_err(|error| Error::io(format!("cannot read {}", path.display()), error))?;
        Ok(slots
            .newest
            .is_some_and(|newest| newest.counter == record.counter))
    }

    /// Checks particle by particle; where the walk ended.
    fn walk(
        &mut self,
        (first, next): (Sequence, Option<Sequence>),
        frames: &mut Frames<'_>,
        offsets: &mut Offsets,
        record: Option<&HeadRecord>,
    ) -> Result<u64> {
        let name = segment_name(first);
        loop {
            if next == Some(self.next()) {
                // What stands behind was copied to the next segment by a recovery.
                return Ok(frames.position());
            }
            let found = frames.next().map_err(|error| {
                Error::io(
                    format!("cannot read {}", self.files.path(&name).display()),
                    error,
                )
            })?;
            match found {
                Found::End { at } => return Ok(at),
                Found::Broken { at, .. } if self.is_past(record) => return Ok(at),
                Found::Broken { at, error } => {
                    let problem = error.to_string();
                    return Err(self.files.damage(&name, at, Some(self.next()), problem));
                }
                Found::Particle {
                    particle,
                    start,
                    crc,
                } => {
                    let was_past = self.is_past(record);
                    match self.particle(&particle) {
                        Ok(()) => {}
                        Err(_) if was_past => return Ok(start),
                        Err(problem) => {
                            return Err(self.files.damage(
                                &name,
                                start,
                                Some(self.next()),
                                problem,
                            ));
                        }
                    }
                    let bytes = u32::try_from(particle.frame().len()).unwrap_or(0);
                    offsets.push(bytes, crc);
                    self.tell()?;
                }
            }
        }
    }

    fn particle(&mut self, particle: &Particle) -> Result<(), String> {
        let checked = match &mut self.chain {
            Some(chain) => chain.check_link(particle).map(drop),
            None => Chain::root(&self.files.topic, particle).map(|chain| self.chain = Some(chain)),
        };
        checked.map_err(|error| error.to_string())?;
        self.particles += 1;
        self.bytes += particle.frame().len() as u64;
        Ok(())
    }

    /// Tells now and then how far the check is, and ends it when nobody listens.
    fn tell(&self) -> Result<()> {
        if !self.particles.is_multiple_of(TELL_EVERY) {
            return Ok(());
        }
        self.progress.tell(self.particles, self.bytes);
        match (self.is_wanted)() {
            true => Ok(()),
            false => Err(Error::closed("the check was given up")),
        }
    }

    /// Checks what stands behind the last particle of a segment.
    fn check_end(
        &mut self,
        name: &str,
        file: &dyn DiskFile,
        end: u64,
        next: Option<Sequence>,
        record: Option<&HeadRecord>,
    ) -> Result<()> {
        let unreadable = |error| Error::io(format!("cannot read {name}"), error);
        let length = file.len().map_err(unreadable)?;
        if end >= length {
            return Ok(());
        }
        if next.is_none_or(|next| self.next() < next) && !self.is_past(record) {
            let problem = "expected a particle, found zeros".to_owned();
            return Err(self.files.damage(name, end, Some(self.next()), problem));
        }
        // Behind the last segment's stand zeros, and what a writer is about to acknowledge.
        if next.is_some() {
            self.notes.push(format!(
                "{name} offset={end}: bytes behind the last particle"
            ));
        }
        Ok(())
    }

    /// Holds the table of offsets against what was found; it is derived, so damage does no harm.
    fn check_table(&mut self, first: Sequence, offsets: &Offsets) {
        let name = offsets_name(first);
        let Ok(bytes) = read_file(
            &*self.files.disk,
            &self.files.path(&name),
            OFFSETS_FILE_BYTES_MAX,
        ) else {
            return;
        };
        let is_right = Offsets::decode(&bytes, first).is_some_and(|table| table.is_within(offsets));
        if !is_right {
            self.notes.push(format!(
                "{name}: does not fit its segment; it is derived and not used"
            ));
        }
    }

    /// Everything that was acknowledged must have been there.
    fn reached(&self, record: &HeadRecord) -> Result<()> {
        let found = self.at().ok_or_else(|| self.missing_root())?;
        if found.sequence < record.head.sequence {
            let problem = format!("expected particles up to {}, found the end", record.head);
            let name = segment_name(record.end.segment);
            return Err(self
                .files
                .damage(&name, record.end.byte, Some(self.next()), problem));
        }
        if found.sequence == record.head.sequence && found.fingerprint != record.head.fingerprint {
            let problem = format!("expected the head {}, found {found}", record.head);
            return Err(self
                .files
                .damage(HEAD_FILE, 0, Some(found.sequence), problem));
        }
        Ok(())
    }

    fn journals(&mut self) -> Result<()> {
        let folder = self.files.path(CONSUMERS_FOLDER);
        let names: BTreeSet<_> = self
            .files
            .disk
            .list(&folder)
            .unwrap_or_default()
            .into_iter()
            .collect();
        for name in names.iter().filter(|name| name.ends_with(JOURNAL_SUFFIX)) {
            journal::check(&*self.files.disk, &folder.join(name), &self.files.topic)?;
        }
        Ok(())
    }
}
