//! Adding to a backup what a topic has got since.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use efflux_flow::particle::{Fingerprint, Head, Particle, Sequence, TopicName};
use efflux_flow::storage::{Clock, Error, ErrorKind, Progress, Result, Topic, TopicOptions};

use super::entry::{FileEntry, TopicEntry};
use super::folder::{Backup, unwritable};
use super::limits::MERGED_PART;
use super::pace::Pace;
use super::reading::FrameReader;
use super::writing::FrameWriter;

/// What a run has added so far.
#[derive(Debug)]
pub(super) struct Added {
    pub(super) pace: Pace,
    /// Bytes of files that the manifest on the disk does not name yet.
    since_checkpoint: u64,
    /// Files that it still names and that others have taken the place of.
    obsolete: Vec<PathBuf>,
}

impl Added {
    /// Nothing so far; tells how far it is.
    pub(super) fn telling(progress: &Progress) -> Self {
        Self {
            pace: Pace::telling(progress),
            since_checkpoint: 0,
            obsolete: Vec::new(),
        }
    }
}

/// The files of one topic while they grow.
struct Growing<'a> {
    backup: &'a mut Backup,
    topic: &'a Topic,
    options: TopicOptions,
    /// The first particle that was read: the root of a topic that is new to the backup.
    root: Option<Fingerprint>,
    file: Option<FrameWriter>,
    /// The file that begins with the same particle as the one that is being written.
    merged: Option<FileEntry>,
}

impl Backup {
    /// Adds the particles of a topic through `head`. What is there already must be how it begins.
    ///
    /// # Errors
    /// `Conflict` when the topic was deleted and made anew; `Corrupt` when its history is another
    /// one, when it has fewer particles, or when stored bytes are damaged.
    pub(super) async fn extend(
        &mut self,
        topic: &Topic,
        head: Head,
        added: &mut Added,
    ) -> Result<()> {
        let after = match self.manifest.topics.get(topic.name()) {
            Some(entry) => Some(continues(topic, head, entry).await?),
            None => None,
        };
        if after == Some(head) {
            return Ok(());
        }
        let options = topic.options().await?;
        let folder = self.topic_folder(topic.name());
        let made = self.disk.create_folder(&folder).and_then(|()| {
            let above = folder.parent().unwrap_or(&folder);
            self.disk.sync_folder(above)
        });
        made.map_err(|error| unwritable(&folder, error))?;
        let mut growing = Growing {
            backup: self,
            topic,
            options,
            root: None,
            file: None,
            merged: None,
        };
        growing.merge_last()?;
        growing.read_through(after, head, added).await
    }

    /// As [`Backup::settle`], when enough was added since the last time.
    pub(super) fn settle_if_due(&mut self, clock: &dyn Clock, added: &mut Added) -> Result<()> {
        match added.since_checkpoint >= self.file_bytes {
            true => self.settle(clock, added),
            false => Ok(()),
        }
    }

    /// Replaces the manifest, and removes what it no longer names.
    pub(super) fn settle(&mut self, clock: &dyn Clock, added: &mut Added) -> Result<()> {
        self.checkpoint(clock)?;
        added.since_checkpoint = 0;
        for path in added.obsolete.drain(..) {
            match self.disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unwritable(&path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The head of the backup, if the topic's chain goes on from there.
async fn continues(topic: &Topic, head: Head, entry: &TopicEntry) -> Result<Head> {
    let name = topic.name();
    let root = topic.get(Sequence::ROOT).await?;
    if root.is_some_and(|root| root.fingerprint() != entry.root) {
        return Err(Error::conflict(format!(
            "topic {name} was deleted and made anew since it was backed up: the backup keeps the \
             former one, through {}; back the new one up into another folder",
            entry.head
        )));
    }
    let found = topic.get(entry.head.sequence).await?;
    let found = found.as_ref().map(Head::on);
    if found == Some(entry.head) && entry.head.sequence <= head.sequence {
        return Ok(entry.head);
    }
    let problem = match found {
        Some(found) => format!("has {found} where the backup has {}", entry.head),
        None => format!("goes up to {head}, the backup up to {}", entry.head),
    };
    Err(Error::new(
        ErrorKind::Corrupt,
        format!(
            "topic {name} {problem}: its history is not the one that was backed up; it was set \
             back or altered. The backup stays as it is; back the topic up into another folder"
        ),
    ))
}

impl Growing<'_> {
    fn name(&self) -> &TopicName {
        self.topic.name()
    }

    fn begin_file(&self, first: Sequence) -> Result<FrameWriter> {
        let folder = self.backup.topic_folder(self.name());
        FrameWriter::begin(&self.backup.disk, &folder, first)
            .map_err(|error| unwritable(&folder, error))
    }

    /// Copies the last file into the one that is being written, when it is small.
    fn merge_last(&mut self) -> Result<()> {
        let entry = self.backup.manifest.topics.get(self.name());
        let last = entry.and_then(|entry| entry.files.last()).cloned();
        let Some(last) = last.filter(|last| last.bytes < self.backup.file_bytes / MERGED_PART)
        else {
            return Ok(());
        };
        let mut file = self.begin_file(last.first)?;
        let folder = self.backup.topic_folder(self.name());
        let mut reader = FrameReader::open(&*self.backup.disk, &folder, self.name(), &last)?;
        while let Some(particle) = reader.next()? {
            file.push(&particle)
                .map_err(|error| unwritable(&folder, error))?;
        }
        (self.file, self.merged) = (Some(file), Some(last));
        Ok(())
    }

    async fn read_through(
        &mut self,
        after: Option<Head>,
        head: Head,
        added: &mut Added,
    ) -> Result<()> {
        let mut audit = self.topic.audit(after);
        loop {
            let batch = audit.next_batch().await?;
            if batch.is_empty() {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    format!("topic {} ended before {head}: try again", self.name()),
                ));
            }
            for particle in &batch {
                self.put(particle)?;
                added.pace.step(particle).await;
                if particle.sequence() == head.sequence {
                    return self.finish_file(particle, added);
                }
                let is_whole = particle.metadata().batch_remaining() == 0;
                let is_full = |file: &FrameWriter| file.bytes() >= self.backup.file_bytes;
                if is_whole && self.file.as_ref().is_some_and(is_full) {
                    self.finish_file(particle, added)?;
                    let clock = self.topic.store().clock();
                    self.backup.settle_if_due(&**clock, added)?;
                }
            }
        }
    }

    fn put(&mut self, particle: &Particle) -> Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.begin_file(particle.sequence())?,
        };
        let folder = self.backup.topic_folder(self.name());
        file.push(particle)
            .map_err(|error| unwritable(&folder, error))?;
        self.file = Some(file);
        self.root.get_or_insert(particle.fingerprint());
        Ok(())
    }

    /// Ends the file that is being written behind this particle, and names it in the manifest.
    fn finish_file(&mut self, last: &Particle, added: &mut Added) -> Result<()> {
        let folder = self.backup.topic_folder(self.name());
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        let file = file.finish().map_err(|error| unwritable(&folder, error))?;
        added.since_checkpoint += file.bytes;
        let name = self.name().clone();
        let root = self.root.unwrap_or_else(|| last.fingerprint());
        let topics = &mut self.backup.manifest.topics;
        let entry = topics.entry(name.clone()).or_insert_with(|| TopicEntry {
            name,
            options: self.options.clone(),
            root,
            head: Head::on(last),
            at: None,
            files: Vec::new(),
            consumers: BTreeMap::new(),
        });
        if let Some(merged) = self.merged.take() {
            entry.files.pop();
            added.obsolete.push(folder.join(merged.name()));
        }
        entry.files.push(file);
        entry.head = Head::on(last);
        Ok(())
    }
}
