//! Checking a backup, every byte of it.

use efflux_flow::particle::{Chain, Head, TopicName};
use efflux_flow::storage::{Damage, Error, Progress, Result};

use super::entry::TopicEntry;
use super::folder::Backup;
use super::pace::Pace;
use super::reading::FrameReader;

/// A backup of which these topics were checked: every byte, every link, and the heads.
#[derive(Debug)]
pub struct Checked<'a> {
    pub(super) backup: &'a Backup,
    pub(super) entries: Vec<&'a TopicEntry>,
}

/// A topic of a backup that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedTopic {
    /// The topic.
    pub name: TopicName,
    /// Where its chain stands.
    pub head: Head,
    /// How many particles it has, the root included.
    pub particles: u64,
    /// Bytes of its frames.
    pub bytes: u64,
    /// How many files they are in.
    pub files: usize,
    /// How many consumers it has.
    pub consumers: usize,
    /// Whether it ends where its topic ended; not when its first backup was cut off.
    pub is_complete: bool,
}

impl Backup {
    /// Checks these topics, all when none is named, and writes nothing.
    ///
    /// # Errors
    /// `Corrupt` with the first damaged place: a file that is missing, cut or altered, or that does
    /// not continue the chain; `NotFound` when a named topic is not in the backup.
    pub async fn check(&self, topics: &[TopicName], progress: &Progress) -> Result<Checked<'_>> {
        let entries = self.entries(topics)?;
        let mut pace = Pace::telling(progress);
        for entry in &entries {
            self.check_topic(entry, &mut pace).await?;
        }
        Ok(Checked {
            backup: self,
            entries,
        })
    }

    async fn check_topic(&self, entry: &TopicEntry, pace: &mut Pace) -> Result<()> {
        let folder = self.topic_folder(&entry.name);
        let mut chain = None;
        for file in &entry.files {
            let mut reader = FrameReader::open(&*self.disk, &folder, &entry.name, file)?;
            while let Some(particle) = reader.next()? {
                let is_root = chain.is_none();
                reader.link(&mut chain, &particle)?;
                if is_root && particle.fingerprint() != entry.root {
                    return Err(contradicts(
                        entry,
                        "root",
                        entry.root,
                        particle.fingerprint(),
                    ));
                }
                pace.step(&particle).await;
            }
        }
        let end = chain.map(Chain::end).transpose();
        let end = end.map_err(|error| contradicts(entry, "end", entry.head, error))?;
        match end {
            Some(end) if end == entry.head => Ok(()),
            Some(end) => Err(contradicts(entry, "head", entry.head, end)),
            None => Err(contradicts(entry, "head", entry.head, "nothing")),
        }
    }
}

/// The files are whole in themselves, and not those that the manifest tells of.
fn contradicts(
    entry: &TopicEntry,
    what: &str,
    expected: impl std::fmt::Display,
    found: impl std::fmt::Display,
) -> Error {
    Error::corrupt(Damage {
        topic: entry.name.clone(),
        file: "MANIFEST.json".to_owned(),
        offset: 0,
        sequence: None,
        problem: format!("expected the {what} {expected}, found {found}"),
    })
}

impl Checked<'_> {
    /// What was checked.
    pub fn topics(&self) -> impl Iterator<Item = CheckedTopic> {
        self.entries.iter().map(|entry| CheckedTopic {
            name: entry.name.clone(),
            head: entry.head,
            particles: entry.particles(),
            bytes: entry.bytes(),
            files: entry.files.len(),
            consumers: entry.consumers.len(),
            is_complete: entry.at.is_some(),
        })
    }
}
