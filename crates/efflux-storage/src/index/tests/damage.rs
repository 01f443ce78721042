//! Damaged and half-written folders give the same answers.

use std::fs;
use std::path::{Path, PathBuf};

use super::log::TestLog;
use super::sample::{orders, shuffled};
use super::{Fixture, folder};
use crate::find::FindOptions;
use crate::query::Query;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

pub(super) fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        // A file may go while it is copied: so it may between two looks after a crash.
        let _ = fs::copy(file, target);
    }
}

pub(super) async fn check(log: &std::sync::Arc<TestLog>, path: &Path) {
    let it = Fixture::over(log.clone(), Some(path));
    // What cannot be waited for is scanned.
    let _ = it.topic.wait_through(efflux_particle::Sequence::ROOT).await;
    for text in [
        "data_type = 'order.kind-3' and properties.region = 'r7'",
        "properties.region = 'r7'",
        "message_group = 'customer-77'",
        "id = 'text-130'",
    ] {
        it.check(&text.parse::<Query>().unwrap(), FindOptions::default())
            .await;
    }
    let through = it.topic.through();
    for particle in it.log.all().iter().step_by(97) {
        if through.is_some_and(|through| particle.sequence() <= through) {
            match it.topic.id(&particle.id()) {
                Ok(found) => assert_eq!(found, [particle.sequence()]),
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    }
    it.index.close();
}

#[tokio::test]
async fn flipped_and_missing_bytes_never_give_a_wrong_answer() {
    let (_folder, path) = folder();
    let log = TestLog::new("orders", 1);
    let it = Fixture::over(log.clone(), Some(&path));
    for (start, count) in [(0, 10), (10, 20_000), (20_010, 300), (20_310, 40)] {
        it.log.push(orders(start, count));
        it.catch_up().await;
    }
    it.index.close();
    let (_other, damaged) = folder();
    let all = files(&path);
    let mut chance = 0;
    for round in 0..30 {
        copy(&path, &damaged);
        chance = shuffled(chance + round);
        let file = &all[usize::try_from(chance).unwrap_or(0) % all.len()];
        let target = damaged.join(file.strip_prefix(&path).unwrap());
        let mut bytes = fs::read(&target).unwrap();
        if bytes.is_empty() {
            continue;
        }
        let at = usize::try_from(chance >> 16).unwrap() % bytes.len();
        if round % 5 == 4 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << (chance >> 60 & 7);
        }
        fs::write(&target, bytes).unwrap();
        check(&log, &damaged).await;
    }
}

#[tokio::test]
async fn a_folder_taken_while_it_is_written_gives_no_wrong_answer() {
    let (_folder, path) = folder();
    let (_other, taken) = folder();
    let log = TestLog::new("orders", 1);
    log.push(orders(0, 1));
    let it = Fixture::over(log.clone(), Some(&path));
    it.catch_up().await;
    for round in 0..20 {
        log.push(orders(round * 6000, if round % 2 == 0 { 6000 } else { 30 }));
        let waiting = it
            .topic
            .wait_through(crate::log::TopicLog::head(&*log).sequence);
        copy(&path, &taken);
        waiting.await.unwrap();
        check(&log, &taken).await;
    }
}
