//! What a topic holds and what finds show of it, by scans.

use efflux_storage::particle::{Particle, Sequence};
use efflux_storage::{FindOptions, Query, ReadLimit, Topic};

pub(crate) async fn read_all(topic: &Topic) -> Vec<Particle> {
    let mut all: Vec<Particle> = Vec::new();
    loop {
        let next = all
            .last()
            .map_or(Sequence::ROOT, |last| last.sequence().next());
        let read = topic.read(next, ReadLimit::default()).await.unwrap();
        if read.is_empty() {
            return all;
        }
        all.extend(read);
    }
}

/// Finds exactly what a scan of all particles finds.
pub(crate) async fn assert_found_as_scanned(
    topic: &Topic,
    all: &[Particle],
    text: &str,
    what: &str,
) {
    let query: Query = text.parse().unwrap();
    let matching = all.iter().filter(|one| query.matches(one.metadata()));
    let scanned: Vec<Sequence> = matching.map(Particle::sequence).collect();
    let mut finder = topic.find(&query, FindOptions::default()).await.unwrap();
    let mut found = Vec::new();
    loop {
        let batch = finder.next_batch().await.unwrap();
        if batch.is_empty() {
            break;
        }
        found.extend(batch.iter().map(Particle::sequence));
    }
    assert_eq!(found, scanned, "{what}: {text}");
}
