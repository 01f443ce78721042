//! The manifest's JSON, and how it is read with every value checked.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use efflux_flow::particle::{Sequence, Timestamp};
use efflux_flow::storage::{
    ConsumerOptions, ConsumerState, Error, Result, Start, Sync, TopicOptions,
};
use serde::{Deserialize, Serialize};

use super::{Digest, Manifest, TopicEntry, VERSION, damaged};
use crate::backup::entry::FileEntry;

const FORMAT: &str = "efflux backup";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestJson {
    format: String,
    version: u64,
    program: String,
    written: Option<String>,
    topics: Vec<TopicJson>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicJson {
    topic: String,
    sync: String,
    segment_bytes: u64,
    root: String,
    head: String,
    at: Option<String>,
    files: Vec<FileJson>,
    consumers: Vec<ConsumerJson>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileJson {
    file: String,
    first: u64,
    last: u64,
    bytes: u64,
    sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsumerJson {
    consumer: String,
    position: u64,
    settled: Vec<(u64, u64)>,
    epoch: u32,
    redelivered: u64,
    dead_lettered: u64,
    lease_ns: u64,
    max_in_flight: usize,
    max_deliveries: Option<u32>,
    dead_letter: Option<String>,
    start: String,
}

/// What every version of the format has.
#[derive(Debug, Deserialize)]
struct Version {
    format: String,
    version: u64,
}

/// A manifest of another version says so, whatever else is in it.
pub(super) fn refuse_other_versions(bytes: &[u8]) -> Result<()> {
    match serde_json::from_slice(bytes) {
        Ok(Version { format, version }) if format == FORMAT && version != VERSION => {
            Err(Error::invalid(format!(
                "MANIFEST.json of the backup has format version {version}, this program reads \
                 {VERSION}: use the Efflux that wrote it, or a newer one"
            )))
        }
        _ => Ok(()),
    }
}

impl From<&Manifest> for ManifestJson {
    fn from(manifest: &Manifest) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: concat!("efflux ", env!("CARGO_PKG_VERSION")).to_owned(),
            written: manifest.written.map(|time| time.to_string()),
            topics: manifest.topics.values().map(TopicJson::from).collect(),
        }
    }
}

impl ManifestJson {
    pub(super) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))
    }

    pub(super) fn manifest(self) -> Result<Manifest> {
        if self.format != FORMAT {
            return Err(damaged(&format!("{:?} is no backup's format", self.format)));
        }
        let written = self.written.map(|time| read("written", &time));
        let mut manifest = Manifest {
            written: written.transpose()?,
            ..Manifest::default()
        };
        for shown in self.topics {
            let entry = shown.entry()?;
            if let Some(twice) = manifest.topics.insert(entry.name.clone(), entry) {
                return Err(damaged(&format!("topic {} stands in it twice", twice.name)));
            }
        }
        Ok(manifest)
    }
}

/// Reads a value from its text.
fn read<T: FromStr<Err: Display>>(what: &str, text: &str) -> Result<T> {
    let read = text.parse();
    read.map_err(|error| damaged(&format!("{what} {text:?}: {error}")))
}

impl From<&TopicEntry> for TopicJson {
    fn from(entry: &TopicEntry) -> Self {
        Self {
            topic: entry.name.to_string(),
            sync: match entry.options.sync {
                Sync::Always => "always".to_owned(),
                Sync::Os => "os".to_owned(),
                Sync::Interval(time) => format!("{}us", time.as_micros()),
            },
            segment_bytes: entry.options.segment_bytes,
            root: entry.root.to_string(),
            head: entry.head.to_string(),
            at: entry.at.map(|time| time.to_string()),
            files: entry.files.iter().map(FileJson::from).collect(),
            consumers: entry.consumers.iter().map(ConsumerJson::of).collect(),
        }
    }
}

impl TopicJson {
    fn entry(self) -> Result<TopicEntry> {
        let sync = match (self.sync.as_str(), self.sync.strip_suffix("us")) {
            ("always", _) => Some(Sync::Always),
            ("os", _) => Some(Sync::Os),
            (_, Some(micros)) => {
                let micros = micros.parse().ok();
                micros.map(|micros| Sync::Interval(Duration::from_micros(micros)))
            }
            _ => None,
        };
        let sync = sync.ok_or_else(|| damaged(&format!("sync {:?} is unknown", self.sync)))?;
        let mut entry = TopicEntry {
            name: read("topic", &self.topic)?,
            options: TopicOptions::default()
                .with_sync(sync)
                .with_segment_bytes(self.segment_bytes),
            root: read("root", &self.root)?,
            head: read("head", &self.head)?,
            at: self.at.map(|time| read("at", &time)).transpose()?,
            files: Vec::new(),
            consumers: Default::default(),
        };
        for file in self.files {
            entry.files.push(file.entry()?);
        }
        for consumer in self.consumers {
            let name = read("consumer", &consumer.consumer)?;
            if entry.consumers.insert(name, consumer.state()?).is_some() {
                let twice = consumer.consumer;
                return Err(damaged(&format!("consumer {twice} stands in it twice")));
            }
        }
        Ok(entry)
    }
}

impl From<&FileEntry> for FileJson {
    fn from(file: &FileEntry) -> Self {
        Self {
            file: file.name(),
            first: file.first.get(),
            last: file.last.get(),
            bytes: file.bytes,
            sha256: file.sha256.to_string(),
        }
    }
}

impl FileJson {
    fn entry(self) -> Result<FileEntry> {
        let sha256 = Digest::parse(&self.sha256);
        let entry = FileEntry {
            first: Sequence::new(self.first),
            last: Sequence::new(self.last),
            bytes: self.bytes,
            sha256: sha256.ok_or_else(|| damaged(&format!("{:?} is no hash", self.sha256)))?,
        };
        // No other name is ever opened, so that none leads out of the folder.
        if entry.name() != self.file {
            return Err(damaged(&format!(
                "the file {:?} should be called {}",
                self.file,
                entry.name()
            )));
        }
        Ok(entry)
    }
}

impl ConsumerJson {
    fn of((name, state): (&efflux_flow::particle::ConsumerName, &ConsumerState)) -> Self {
        let options = &state.options;
        let places = |(first, end): &(Sequence, Sequence)| (first.get(), end.get());
        Self {
            consumer: name.to_string(),
            position: state.position.get(),
            settled: state.settled.iter().map(places).collect(),
            epoch: state.epoch,
            redelivered: state.redelivered,
            dead_lettered: state.dead_lettered,
            lease_ns: u64::try_from(options.lease.as_nanos()).unwrap_or(u64::MAX),
            max_in_flight: options.max_in_flight,
            max_deliveries: options.max_deliveries,
            dead_letter: options.dead_letter.as_ref().map(ToString::to_string),
            start: match options.start {
                Start::Root => "root".to_owned(),
                Start::Head => "head".to_owned(),
                Start::Sequence(sequence) => format!("sequence {sequence}"),
                Start::Time(time) => format!("time {time}"),
            },
        }
    }

    fn state(&self) -> Result<ConsumerState> {
        let places = |(first, end): &(u64, u64)| (Sequence::new(*first), Sequence::new(*end));
        let mut options = ConsumerOptions::default()
            .with_lease(Duration::from_nanos(self.lease_ns))
            .with_max_in_flight(self.max_in_flight)
            .with_max_deliveries(self.max_deliveries)
            .with_start(start(&self.start)?);
        if let Some(topic) = &self.dead_letter {
            options = options.with_dead_letter(read("dead_letter", topic)?);
        }
        Ok(ConsumerState {
            position: Sequence::new(self.position),
            settled: self.settled.iter().map(places).collect(),
            epoch: self.epoch,
            redelivered: self.redelivered,
            dead_lettered: self.dead_lettered,
            options,
        })
    }
}

fn start(text: &str) -> Result<Start> {
    Ok(match (text, text.split_once(' ')) {
        ("root", _) => Start::Root,
        ("head", _) => Start::Head,
        (_, Some(("sequence", sequence))) => Start::Sequence(read("start", sequence)?),
        (_, Some(("time", time))) => Start::Time(read::<Timestamp>("start", time)?),
        _ => return Err(damaged(&format!("start {text:?} is unknown"))),
    })
}
