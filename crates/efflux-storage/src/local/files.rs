//! Names and small files of a local store.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use efflux_particle::{Sequence, TopicName};

use crate::disk::{Disk, DiskFile, read_file, replace_file};
use crate::error::{Damage, Error, Result};
use crate::limits::TEXT_FILE_BYTES_MAX;
use crate::options::{Sync, TopicOptions};

/// The version of the store's layout that this program writes and reads.
pub(super) const STORE_VERSION: u32 = 1;

pub(super) const STORE_FILE: &str = "STORE";
pub(super) const LOCK_FILE: &str = "LOCK";
pub(super) const TOPICS_FOLDER: &str = "topics";
pub(super) const INDEX_FOLDER: &str = "index";
pub(super) const TOPIC_FILE: &str = "TOPIC";
pub(super) const HEAD_FILE: &str = "HEAD";
pub(super) const CONSUMERS_FOLDER: &str = "consumers";
pub(super) const JOURNAL_SUFFIX: &str = ".journal";

const SEGMENT_SUFFIX: &str = ".seg";
const OFFSETS_SUFFIX: &str = ".off";

/// The folder of one topic, and how its files are reached.
#[derive(Debug)]
pub(super) struct TopicFiles {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) topic: TopicName,
    is_ended: AtomicBool,
}

impl TopicFiles {
    pub(super) const fn new(disk: Arc<dyn Disk>, folder: PathBuf, topic: TopicName) -> Self {
        let is_ended = AtomicBool::new(false);
        Self {
            disk,
            folder,
            topic,
            is_ended,
        }
    }

    /// Says that nothing is written here any more: the folder may soon be another topic's.
    pub(super) fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Acquire)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// An error that names the damaged place.
    pub(super) fn damage(
        &self,
        file: &str,
        offset: u64,
        sequence: Option<Sequence>,
        problem: String,
    ) -> Error {
        let (topic, file) = (self.topic.clone(), file.to_owned());
        Error::corrupt(Damage {
            topic,
            file,
            offset,
            sequence,
            problem,
        })
    }

    pub(super) fn open_segment(&self, first: Sequence) -> Result<Arc<dyn DiskFile>> {
        let path = self.path(&segment_name(first));
        let opened = self.disk.open(&path);
        opened.map_err(|error| Error::io(format!("cannot open {}", path.display()), error))
    }

    /// Removes a file that need not be there.
    pub(super) fn remove_if_there(&self, name: &str) -> io::Result<()> {
        match self.disk.remove(&self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// The name of the segment that begins with this sequence.
pub(super) fn segment_name(first: Sequence) -> String {
    format!("{:020}{SEGMENT_SUFFIX}", first.get())
}

/// The name of that segment's table of offsets.
pub(super) fn offsets_name(first: Sequence) -> String {
    format!("{:020}{OFFSETS_SUFFIX}", first.get())
}

/// The first sequences of the segments in a topic's folder, ascending.
pub(super) fn list_segments(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<Sequence>> {
    let names = disk.list(folder)?;
    let first = |name: &String| {
        let digits = name.strip_suffix(SEGMENT_SUFFIX)?;
        let first = Sequence::new(digits.parse().ok()?);
        (segment_name(first) == *name).then_some(first)
    };
    let mut firsts: Vec<_> = names.iter().filter_map(first).collect();
    firsts.sort_unstable();
    Ok(firsts)
}

/// A small text file whose last line holds the CRC-32C of what stands above it.
fn sealed_text(text: &str) -> String {
    format!("{text}crc32c {:08x}\n", crc32c::crc32c(text.as_bytes()))
}

/// The text above the last line, when that line fits it.
fn open_sealed(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?;
    let (above, last) = text.trim_end_matches('\n').rsplit_once('\n')?;
    let above = text.get(..=above.len())?;
    let checksum = last.strip_prefix("crc32c ")?;
    let is_whole = text.len() == above.len() + last.len() + 1;
    (is_whole && checksum == format!("{:08x}", crc32c::crc32c(above.as_bytes()))).then_some(above)
}

/// Writes the file that makes a folder a store.
pub(super) fn write_store_file(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    let text = sealed_text(&format!("efflux store\nversion {STORE_VERSION}\n"));
    replace_file(disk, &folder.join(STORE_FILE), text.as_bytes())
}

/// Checks the file that makes a folder a store.
pub(super) fn check_store_file(disk: &dyn Disk, folder: &Path) -> Result<()> {
    let path = folder.join(STORE_FILE);
    let shown = folder.display();
    let bytes =
        read_file(disk, &path, TEXT_FILE_BYTES_MAX).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::invalid(format!(
                "{shown} is no Efflux store: it has other files and no file {STORE_FILE}; \
             name an empty or a new folder"
            )),
            _ => Error::io(format!("cannot read {}", path.display()), error),
        })?;
    let damaged = || {
        Error::new(
            crate::ErrorKind::Corrupt,
            format!(
                "{} offset=0: expected a store's version and its checksum, found other bytes: restore \
                 the file from a copy",
                path.display()
            ),
        )
    };
    let text = open_sealed(&bytes).ok_or_else(damaged)?;
    let version = text
        .strip_prefix("efflux store\nversion ")
        .ok_or_else(damaged)?;
    let version: u32 = version.trim_end().parse().map_err(|_| damaged())?;
    if version > STORE_VERSION {
        return Err(Error::invalid(format!(
            "the store {shown} has format version {version}, this program reads up to \
             {STORE_VERSION}: use a newer Efflux"
        )));
    }
    Ok(())
}

/// Writes a topic's options.
pub(super) fn write_topic_file(
    disk: &dyn Disk,
    folder: &Path,
    options: &TopicOptions,
) -> io::Result<()> {
    let sync = match options.sync {
        Sync::Always => "always".to_owned(),
        Sync::Os => "os".to_owned(),
        Sync::Interval(time) => format!("interval_us {}", time.as_micros()),
    };
    let text = format!(
        "efflux topic\nsync {sync}\nsegment_bytes {}\n",
        options.segment_bytes
    );
    replace_file(
        disk,
        &folder.join(TOPIC_FILE),
        sealed_text(&text).as_bytes(),
    )
}

/// Reads a topic's options.
pub(super) fn read_topic_file(
    disk: &dyn Disk,
    folder: &Path,
    topic: &TopicName,
) -> Result<TopicOptions> {
    let path = folder.join(TOPIC_FILE);
    let bytes =
        read_file(disk, &path, TEXT_FILE_BYTES_MAX).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::not_found(format!("there is no topic {topic}")),
            _ => Error::io(format!("cannot read {}", path.display()), error),
        })?;
    parse_topic_file(&bytes).ok_or_else(|| {
        Error::corrupt(Damage {
            topic: topic.clone(),
            file: TOPIC_FILE.to_owned(),
            offset: 0,
            sequence: None,
            problem: "the topic's options do not check: restore the file from a copy".to_owned(),
        })
    })
}

fn parse_topic_file(bytes: &[u8]) -> Option<TopicOptions> {
    let text = open_sealed(bytes)?.strip_prefix("efflux topic\n")?;
    let mut options = TopicOptions::default();
    for line in text.lines() {
        let (name, value) = line.split_once(' ')?;
        match (name, value.split_once(' ')) {
            ("sync", None) => options.sync = Sync::parse(value).ok()?,
            ("sync", Some(("interval_us", time))) => {
                options.sync = Sync::Interval(Duration::from_micros(time.parse().ok()?));
            }
            ("segment_bytes", None) => options.segment_bytes = value.parse().ok()?,
            _ => return None,
        }
    }
    options.check().ok()?;
    Some(options)
}

/// The folder of a topic within the store's folder.
pub(super) fn topic_folder(store: &Path, topic: &TopicName) -> PathBuf {
    store.join(TOPICS_FOLDER).join(topic.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_reads_back_and_no_flipped_bit_does() {
        let text = sealed_text("efflux topic\nsync always\nsegment_bytes 65536\n");
        assert!(parse_topic_file(text.as_bytes()).is_some());
        for at in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at / 8] ^= 1 << (at % 8);
            assert!(parse_topic_file(&bytes).is_none(), "bit {at}");
        }
    }
}
