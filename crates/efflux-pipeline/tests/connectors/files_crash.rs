//! A process that brings files into a topic is killed again and again; each record is there once.

use std::collections::HashMap;
use std::future::pending;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use efflux_pipeline::particle::{Message, Sequence, TopicName};
use efflux_pipeline::storage::{ReadLimit, Store, TopicOptions};
use efflux_pipeline::{
    Batch, Connector, Failed, FilesConnector, FilesForm, FilesSettings, Intake, IntakeMax,
    IntakeReceipt, Parcel, Period, Pipeline, PipelineOptions, Policy, Port, StageError, Then,
    TopicsPort,
};

use super::folder::Folder;

/// Names the folder of the child; it is set in a child alone.
const CHILD: &str = "EFFLUX_CONNECTORS_CHILD";
/// Seeds another run of kills.
const SEED: &str = "EFFLUX_CRASH_SEED";
const KILLS: usize = 12;
const FILES: usize = 40;
const RECORDS: usize = 100;

/// Names a guard that is off in the child.
const CANARY: &str = "EFFLUX_CONNECTORS_CANARY";
/// Files are put away before they are delivered.
const EARLY: &str = "early";
/// Messages have other ids each time.
const NAMELESS: &str = "nameless";

/// A connector, with a guard off.
#[derive(Debug)]
struct CanaryConnector {
    files: FilesConnector,
    off: String,
}

#[async_trait]
impl Connector for CanaryConnector {
    async fn poll(&self, max: IntakeMax) -> Result<Option<Intake>, StageError> {
        let Some(mut intake) = self.files.poll(max).await? else {
            return Ok(None);
        };
        if self.off == EARLY {
            self.files.ack(intake.receipt).await?;
        }
        if self.off == NAMELESS {
            for parcel in &mut intake.parcels {
                *parcel = Parcel::of_message(Message::new(parcel.message.payload().clone()));
            }
        }
        Ok(Some(intake))
    }

    async fn ack(&self, receipt: IntakeReceipt) -> Result<(), StageError> {
        self.files.ack(receipt).await
    }

    async fn nack(&self, receipt: IntakeReceipt, why: &StageError) -> Result<(), StageError> {
        self.files.nack(receipt, why).await
    }
}

/// Appends to a topic, and tells of each append before it is acknowledged.
#[derive(Debug)]
struct TellingPort(TopicsPort);

#[async_trait]
impl Port for TellingPort {
    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        self.0.deliver(batch).await?;
        println!("delivered");
        Ok(())
    }
}

fn topic() -> TopicName {
    "records".parse().unwrap()
}

async fn store(folder: &Path) -> Store {
    let path = folder.join("store");
    Store::open(&format!("file:{}", path.display()))
        .await
        .unwrap()
}

/// What the child does: nothing, unless it is one.
#[tokio::test]
async fn child() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let folder = Path::new(&folder);
    let mut settings = FilesSettings::new(folder.join("inbox"));
    settings.form = FilesForm::Lines;
    settings.settle = Period(Duration::ZERO);
    let connector = CanaryConnector {
        files: FilesConnector::new(settings).unwrap(),
        off: std::env::var(CANARY).unwrap_or_default(),
    };
    let into = TopicsPort::new(store(folder).await, topic(), Some(TopicOptions::default()));
    let options = PipelineOptions {
        batch: IntakeMax {
            messages: 70,
            bytes: 1 << 20,
        },
        ends_when_idle: Some(Duration::from_secs(1)),
        ..PipelineOptions::default()
    };
    let name = "inbox".parse().unwrap();
    let pipeline = Pipeline::from_connector(name, connector, TellingPort(into));
    let policy = Policy {
        then: Then::Stop,
        ..options.policy
    };
    let pipeline = pipeline.with_options(PipelineOptions { policy, ..options });
    pipeline.run(pending()).await.unwrap();
}

/// Runs a child until it told of this many deliveries, then kills it; tells whether it lived so long.
fn run_child(folder: &Path, deliveries: usize, off: &str) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "files_crash::child", "--nocapture"])
        .env(CHILD, folder)
        .env(CANARY, off)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = lines
        .map_while(Result::ok)
        .filter(|line| line.contains("delivered"));
    let was_alive = told.by_ref().take(deliveries).count() == deliveries;
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(was_alive || status.success(), "the child failed: {status}");
    was_alive
}

/// How many of the records are in the topic, and how many of them more than once, after a child was
/// killed again and again and the last one came to the end.
async fn crash(off: &str) -> (usize, usize) {
    let folder = Folder::new();
    for file in 0..FILES {
        let lines: String = (0..RECORDS)
            .map(|line| format!("{file}-{line}\n"))
            .collect();
        folder.write(format!("inbox/{file}.txt"), lines);
    }
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let mut state: u64 = seed.unwrap_or(7);
    println!("{SEED}={state}");
    for _ in 0..KILLS {
        // Numbers of a linear congruence, of which the upper bits are good enough here.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let deliveries = usize::try_from(state >> 61).unwrap();
        if !run_child(&folder.path("."), deliveries, off) {
            break;
        }
    }
    let is_alive = run_child(&folder.path("."), usize::MAX, off);
    assert!(!is_alive, "it ends when all is taken");
    assert!(folder.names("inbox").is_empty());
    assert_eq!(folder.names("inbox/.done").len(), FILES);
    count(&folder.path(".")).await
}

async fn count(folder: &Path) -> (usize, usize) {
    let topic = store(folder).await.topic(&topic()).await.unwrap();
    let mut found: HashMap<String, usize> = HashMap::new();
    let mut next = Sequence::FIRST;
    loop {
        let read = topic.read(next, ReadLimit::default()).await.unwrap();
        let Some(last) = read.last() else { break };
        next = last.sequence().next();
        for particle in &read {
            let text = String::from_utf8(particle.payload().to_vec()).unwrap();
            *found.entry(text).or_default() += 1;
        }
    }
    let twice = found.values().filter(|count| **count > 1).count();
    (found.len(), twice)
}

#[tokio::test]
async fn every_record_is_there_once_however_often_the_process_is_killed() {
    assert_eq!(crash("").await, (FILES * RECORDS, 0));
}

#[tokio::test]
async fn the_kills_find_a_connector_that_lets_go_too_early() {
    let (found, _) = crash(EARLY).await;
    assert!(found < FILES * RECORDS, "the kills hit nothing");
}

#[tokio::test]
async fn the_kills_find_a_connector_whose_ids_do_not_last() {
    let (_, twice) = crash(NAMELESS).await;
    assert!(twice > 0, "the kills hit nothing");
}
