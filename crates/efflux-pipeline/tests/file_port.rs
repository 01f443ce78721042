//! A process that brings a topic into files is killed again and again; each record is there once.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::future::pending;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use efflux_pipeline::particle::Message;
use efflux_pipeline::storage::{Store, SystemClock, Topic, TopicOptions};
use efflux_pipeline::{
    Batch, ByteSize, Failed, FileLayout, FilePort, FilePortSettings, FileSeparator, IntakeMax,
    Kept, Pipeline, PipelineOptions, Policy, Port, Reader, StageError, Then,
};
use serde_json::Value;
use tempfile::TempDir;

/// Names the folder of the child; it is set in a child alone.
const CHILD: &str = "EFFLUX_FILE_PORT_CHILD";
/// Tells the child how to write.
const HOW: &str = "EFFLUX_FILE_PORT_HOW";
/// Seeds another run of kills.
const SEED: &str = "EFFLUX_CRASH_SEED";
const KILLS: usize = 12;
const RECORDS: usize = 1500;
/// Bytes of a record: enough that a write is not done in a moment.
const RECORD_BYTES: usize = 4096;
/// A file gets a number when it has so many records.
const FILE_RECORDS: usize = 150;

/// How a child writes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    /// Many records a file.
    Append,
    /// As before, but what stands behind the recorded length is believed.
    AppendToTorn,
    /// As before, but the position is forgotten.
    AppendForgetting,
    /// One record a file.
    Each,
    /// As before, but the file has its name from the beginning on.
    EachInPlace,
}

impl How {
    const ALL: [Self; 5] = [
        Self::Append,
        Self::AppendToTorn,
        Self::AppendForgetting,
        Self::Each,
        Self::EachInPlace,
    ];

    fn is_one_each(self) -> bool {
        matches!(self, Self::Each | Self::EachInPlace)
    }
}

/// The port, with a guard off where that is asked for; it tells of each batch.
#[derive(Debug)]
struct TellingPort {
    port: FilePort,
    out: PathBuf,
    how: How,
}

#[async_trait]
impl Port for TellingPort {
    async fn open(&self, reader: &Reader) -> Result<Kept, StageError> {
        let record = self.out.join(".efflux-out.json");
        match self.how {
            How::AppendToTorn if record.exists() => believe(&record, &self.out),
            How::AppendForgetting if record.exists() => fs::remove_file(record).unwrap(),
            _ => {}
        }
        self.port.open(reader).await
    }

    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        println!("delivering");
        if self.how == How::EachInPlace {
            for parcel in batch.parcels {
                let name = format!("{}.txt", parcel.message.id().unwrap());
                let mut file = fs::File::create(self.out.join(name)).unwrap();
                let (first, second) = parcel.message.payload().split_at(RECORD_BYTES / 2);
                for half in [first, second] {
                    file.write_all(half).unwrap();
                    file.sync_all().unwrap();
                }
            }
            return Ok(());
        }
        self.port.deliver(batch).await
    }

    fn keeps_position(&self) -> bool {
        self.port.keeps_position()
    }

    async fn close(&self) -> Result<(), StageError> {
        self.port.close().await
    }
}

/// Makes the record say that each file is as long as it is.
fn believe(record: &Path, out: &Path) {
    let text = fs::read_to_string(record).unwrap();
    let mut told: Value = serde_json::from_str(&text).unwrap();
    for (name, length) in told["files"].as_object_mut().unwrap() {
        if let Ok(found) = fs::metadata(out.join(name)) {
            length["bytes"] = found.len().into();
        }
    }
    fs::write(record, told.to_string()).unwrap();
}

fn record(number: usize) -> String {
    format!("{:x<RECORD_BYTES$}", format!("{number}-"))
}

async fn topic(folder: &Path) -> Topic {
    let url = format!("file:{}", folder.join("store").display());
    let store = Store::open(&url).await.unwrap();
    let name = "records".parse().unwrap();
    let opened = store.topic_or_create(&name, TopicOptions::default()).await;
    opened.unwrap()
}

fn settings(out: &Path, how: How) -> FilePortSettings {
    let is_one_each = how.is_one_each();
    let path = if is_one_each { "{id}.txt" } else { "records" };
    FilePortSettings {
        folder: out.to_owned(),
        path: path.parse().unwrap(),
        layout: if is_one_each {
            FileLayout::Each
        } else {
            FileLayout::Append
        },
        separator: FileSeparator::Lines,
        rotate_bytes: (!is_one_each).then_some(ByteSize((FILE_RECORDS * RECORD_BYTES) as u64)),
        rotate_after: None,
    }
}

/// What the child does: nothing, unless it is one.
#[tokio::test]
async fn child() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let folder = Path::new(&folder);
    let how = std::env::var(HOW).unwrap();
    let how = How::ALL.into_iter().find(|it| format!("{it:?}") == how);
    let (how, out) = (how.unwrap(), folder.join("out"));
    let port = TellingPort {
        port: FilePort::new(settings(&out, how), Arc::new(SystemClock)).unwrap(),
        out,
        how,
    };
    let options = PipelineOptions::default();
    let policy = Policy {
        then: Then::Stop,
        ..options.policy
    };
    let options = PipelineOptions {
        batch: IntakeMax {
            messages: 20,
            bytes: 1 << 20,
        },
        lease: Duration::from_millis(500),
        ends_when_idle: Some(Duration::from_secs(1)),
        policy,
        ..options
    };
    let pipeline = Pipeline::from_topic("out".parse().unwrap(), topic(folder).await, port);
    pipeline.with_options(options).run(pending()).await.unwrap();
}

/// Runs a child until it began this many deliveries and this time passed, then kills it; tells whether
/// it lived so long.
fn run_child(folder: &Path, how: How, deliveries: usize, rest: Duration) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, folder)
        .env(HOW, format!("{how:?}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = lines
        .map_while(Result::ok)
        .filter(|line| line.contains("delivering"));
    let was_alive = told.by_ref().take(deliveries).count() == deliveries;
    let until = Instant::now() + rest;
    while Instant::now() < until {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(was_alive || status.success(), "the child failed: {status}");
    was_alive
}

/// What stands in the folder in the end, and what was wrong on the way.
#[derive(Debug, Default)]
struct Found {
    /// How often each record is there.
    records: BTreeMap<usize, usize>,
    /// Lines and files that are no whole record, in the end and after each kill.
    torn: usize,
    files: usize,
    is_in_order: bool,
}

impl Found {
    fn is_well(&self) -> bool {
        let are_there = self.records.keys().copied().eq(0..RECORDS);
        are_there && self.records.values().all(|times| *times == 1) && self.torn == 0
    }

    fn note(&mut self, text: &str) {
        let number = text.split('-').next().and_then(|text| text.parse().ok());
        match number.filter(|number| text == record(*number)) {
            Some(number) => *self.records.entry(number).or_default() += 1,
            None => self.torn += 1,
        }
    }
}

/// The files that are no business of the port's own, in the order in which they were begun.
fn files(out: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(out).unwrap().map(|it| it.unwrap().path());
    let names = paths.filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    let mut files: Vec<_> = names.collect();
    let number = |path: &PathBuf| {
        let ending = path.extension().and_then(|it| it.to_str()?.parse().ok());
        ending.unwrap_or(u64::MAX)
    };
    files.sort_by_key(number);
    files
}

fn found(out: &Path, how: How) -> Found {
    let mut found = Found::default();
    let mut order = Vec::new();
    for path in files(out) {
        found.files += 1;
        let text = fs::read_to_string(&path).unwrap();
        if how.is_one_each() {
            found.note(&text);
            continue;
        }
        for line in text.split_terminator('\n') {
            found.note(line);
            order.push(line.split('-').next().unwrap().parse().unwrap_or(0));
        }
    }
    found.is_in_order = order.is_sorted_by_key(|number: &usize| *number);
    found
}

/// What is there after a child was killed again and again and the last one came to the end.
async fn crash(how: How) -> Found {
    let kept = TempDir::new().unwrap();
    let folder = kept.path();
    let out = folder.join("out");
    fs::create_dir(&out).unwrap();
    let topic = topic(folder).await;
    let messages = (0..RECORDS)
        .map(|number| Message::new(record(number)).with_id(format!("r-{number}").parse().unwrap()));
    topic.append_batch(messages.collect()).await.unwrap();
    topic.store().close().await.unwrap();

    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let mut state: u64 = seed.unwrap_or(7);
    println!("{SEED}={state}");
    let mut torn = 0;
    for _ in 0..KILLS {
        // Numbers of a linear congruence, of which the upper bits are good enough here.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let deliveries = 1 + usize::try_from(state >> 62).unwrap();
        let rest = Duration::from_micros((state >> 40) & 0xfff);
        if !run_child(folder, how, deliveries, rest) {
            break;
        }
        if how.is_one_each() {
            torn += found(&out, how).torn;
        }
    }
    let is_alive = run_child(folder, how, usize::MAX, Duration::ZERO);
    assert!(!is_alive, "it ends when all is written");
    let mut found = found(&out, how);
    found.torn += torn;
    found
}

#[tokio::test]
async fn every_record_is_appended_once_however_often_the_process_is_killed() {
    let found = crash(How::Append).await;
    assert!(found.is_well() && found.is_in_order, "{found:?}");
    let rotated = RECORDS / (FILE_RECORDS + 20);
    assert!(found.files >= rotated, "files are rotated: {}", found.files);
}

#[tokio::test]
async fn every_record_has_a_whole_file_however_often_the_process_is_killed() {
    let found = crash(How::Each).await;
    assert!(found.is_well(), "{found:?}");
    assert_eq!(found.files, RECORDS);
}

#[tokio::test]
async fn the_kills_find_a_port_that_believes_a_torn_tail() {
    let found = crash(How::AppendToTorn).await;
    assert!(!found.is_well(), "the kills hit nothing");
}

#[tokio::test]
async fn the_kills_find_a_port_that_forgets_its_position() {
    let found = crash(How::AppendForgetting).await;
    assert!(!found.is_well(), "the kills hit nothing");
}

#[tokio::test]
async fn the_kills_find_a_port_that_writes_files_in_place() {
    let found = crash(How::EachInPlace).await;
    assert!(found.torn > 0, "the kills hit nothing");
}
