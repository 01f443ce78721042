//! Tests of the index as a whole, over a log in memory.

mod log;
mod sample;

use std::path::Path;
use std::sync::Arc;

use efflux_particle::{Particle, Sequence};
use tempfile::TempDir;

use self::log::TestLog;
use super::{Index, TopicIndex};
use crate::find::{FindOptions, Finder};
use crate::log::TopicLog;
use crate::query::Query;

/// A log with its index.
struct Fixture {
    log: Arc<TestLog>,
    index: Arc<Index>,
    topic: Arc<TopicIndex>,
}

impl Fixture {
    fn over(log: Arc<TestLog>, folder: Option<&Path>) -> Self {
        let index = Index::new(folder.map(Path::to_owned)).unwrap();
        let topic = index.follow(Arc::clone(&log) as Arc<dyn TopicLog>);
        Self { log, index, topic }
    }

    async fn catch_up(&self) {
        self.topic
            .wait_through(self.log.head().sequence)
            .await
            .unwrap();
    }

    async fn find(&self, query: &Query, options: FindOptions) -> Vec<Sequence> {
        let log = Arc::clone(&self.log) as Arc<dyn TopicLog>;
        find(Finder::new(
            log,
            Some(Arc::clone(&self.topic)),
            query.clone(),
            options,
        ))
        .await
    }

    fn runs(&self) -> usize {
        match &*self.topic.state.read() {
            super::topic::State::Attached(attached) => attached.runs.len(),
            _ => 0,
        }
    }

    /// Whether what is found is what a scan finds.
    async fn check(&self, query: &Query, options: FindOptions) {
        let found = self.find(query, options).await;
        let expected = self.log.scan(query, options);
        assert_eq!(
            found,
            expected,
            "{query} {options:?} through {:?}",
            self.topic.through()
        );
    }
}

async fn find(mut finder: Finder) -> Vec<Sequence> {
    let mut found = Vec::new();
    loop {
        let batch = finder.next_batch().await.unwrap();
        if batch.is_empty() {
            return found;
        }
        found.extend(batch.iter().map(Particle::sequence));
    }
}

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    (folder, index)
}

mod answers;
mod damage;
mod lifecycle;
mod merging;
