//! A process with many producers is killed at random moments; nothing it acknowledged is missing.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use efflux_node::storage::{FindOptions, Progress, Query, Store, Topic};

use crate::session::read_all;

/// Rounds in CI. `EFFLUX_KILL_ROUNDS` asks for more.
const ROUNDS: u64 = 12;

/// What was acknowledged: fingerprint and id by sequence.
pub(crate) type Acknowledged = BTreeMap<u64, (String, String)>;

fn seed() -> u64 {
    let given = std::env::var("EFFLUX_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

/// A number below `end`, from a seed (`SplitMix64`).
pub(crate) fn random(seed: u64, end: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) % end
}

/// Runs the producers until they have acknowledged `count` messages, then kills them.
fn produce_and_kill(url: &str, seed: u64, count: u64, acknowledged: &mut Acknowledged) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_producers"))
        .args([url, "t", &seed.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let most = usize::try_from(count).unwrap();
    note(lines.by_ref().take(most), acknowledged);
    child.kill().unwrap();
    child.wait().unwrap();
    // What stood in the pipe when the process ended was acknowledged too.
    note(lines, acknowledged);
}

/// Notes what the producers have told.
pub(crate) fn note(
    lines: impl Iterator<Item = std::io::Result<String>>,
    acknowledged: &mut Acknowledged,
) {
    for line in lines {
        let line = line.unwrap();
        let mut words = line.splitn(3, ' ');
        // The last line may be cut off by the kill.
        let parts = (words.next(), words.next(), words.next());
        if let (Some(sequence), Some(fingerprint), Some(id)) = parts {
            let sequence = sequence.parse().unwrap();
            acknowledged.insert(sequence, (fingerprint.to_owned(), id.to_owned()));
        }
    }
}

async fn found(topic: &Topic, query: &Query) -> Vec<u64> {
    let mut finder = topic.find(query, FindOptions::default()).await.unwrap();
    let mut found = Vec::new();
    loop {
        let batch = finder.next_batch().await.unwrap();
        if batch.is_empty() {
            return found;
        }
        found.extend(batch.iter().map(|particle| particle.sequence().get()));
    }
}

/// Everything acknowledged is there, batches are whole, and the index answers as a scan does.
pub(crate) async fn check(url: &str, acknowledged: &Acknowledged, context: &str) {
    let store = Store::open(url).await.unwrap();
    let topic = store.topic(&"t".parse().unwrap()).await.unwrap();
    let verified = topic.verify(Progress::default()).await.unwrap();
    assert!(verified.notes.is_empty(), "{context}: {:?}", verified.notes);
    let particles = read_all(&topic).await.unwrap();
    for (sequence, (fingerprint, id)) in acknowledged {
        let particle = particles.get(usize::try_from(*sequence).unwrap());
        assert!(
            particle.is_some(),
            "{context}: acknowledged {sequence} is missing"
        );
        let Some(particle) = particle else { continue };
        assert_eq!(
            particle.fingerprint().to_string(),
            *fingerprint,
            "{context}: {sequence}"
        );
        assert_eq!(particle.id().to_string(), *id, "{context}: {sequence}");
    }
    let last = particles.last().unwrap();
    assert_eq!(
        last.metadata().batch_remaining(),
        0,
        "{context}: the last batch is whole"
    );
    for text in [
        "type = type.3",
        "group = producer-5 and properties.at = 0",
        "not type = type.0",
    ] {
        let query: Query = text.parse().unwrap();
        let scanned: Vec<u64> = particles
            .iter()
            .filter(|particle| query.matches(particle.metadata()))
            .map(|particle| particle.sequence().get())
            .collect();
        assert_eq!(found(&topic, &query).await, scanned, "{context}: {text}");
    }
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_any_moment_loses_nothing_it_acknowledged() {
    let seed = seed();
    let rounds = std::env::var("EFFLUX_KILL_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok());
    println!("EFFLUX_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("store").display());
    let mut acknowledged = Acknowledged::new();
    for round in 0..rounds.unwrap_or(ROUNDS) {
        let count = random(seed.wrapping_add(round), 3000);
        produce_and_kill(
            &url,
            seed.wrapping_add(round << 32),
            count,
            &mut acknowledged,
        );
        // Every other time the next process meets the store as the killed one left it.
        if round % 2 == 1 {
            check(&url, &acknowledged, &format!("seed {seed}, round {round}")).await;
        }
    }
    check(&url, &acknowledged, &format!("seed {seed}, at the end")).await;
    assert!(!acknowledged.is_empty());
}
