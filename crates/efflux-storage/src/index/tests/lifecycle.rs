//! Opening, closing, forgetting.

use std::path::Path;

use efflux_particle::Sequence;

use super::log::TestLog;
use super::sample::orders;
use super::{Fixture, folder};
use crate::find::FindOptions;
use crate::log::TopicLog;
use crate::query::Query;

async fn check(it: &Fixture) {
    for text in ["data_type = 'order.kind-3'", "properties.region = 'r7'", ""] {
        it.check(&text.parse().unwrap(), FindOptions::default())
            .await;
    }
}

async fn filled(path: &Path, count: u64) -> Fixture {
    let log = TestLog::new("orders", 1);
    log.push(orders(0, count));
    let it = Fixture::over(log, Some(path));
    it.catch_up().await;
    it
}

#[tokio::test]
async fn a_short_life_opens_nothing() {
    let (_folder, path) = folder();
    let it = Fixture::over(TestLog::new("orders", 1), Some(&path));
    it.log.push(orders(0, 100));
    check(&it).await;
    it.index.close();
    assert!(!path.exists());
}

#[tokio::test]
async fn what_is_known_is_not_indexed_again() {
    let (_folder, path) = folder();
    let it = filled(&path, 5000).await;
    it.index.close();
    let again = Fixture::over(it.log.clone(), Some(&path));
    again.topic.wait_through(Sequence::ROOT).await.unwrap();
    assert_eq!(again.topic.through(), Some(Sequence::new(5000)));
    check(&again).await;
}

#[tokio::test]
async fn closing_indexes_what_is_left() {
    let (_folder, path) = folder();
    let it = filled(&path, 10).await;
    it.log.push(orders(10, 200));
    it.index.close();
    let again = Fixture::over(it.log.clone(), Some(&path));
    again.topic.wait_through(Sequence::ROOT).await.unwrap();
    assert_eq!(again.topic.through(), Some(Sequence::new(210)));
}

#[tokio::test]
async fn a_deleted_folder_changes_no_answer() {
    let (_folder, path) = folder();
    let it = filled(&path, 5000).await;
    it.index.close();
    std::fs::remove_dir_all(&path).unwrap();
    let again = Fixture::over(it.log.clone(), Some(&path));
    check(&again).await;
    again.catch_up().await;
    check(&again).await;
}

#[tokio::test]
async fn a_log_that_lost_its_end_is_indexed_anew() {
    let (_folder, path) = folder();
    let it = filled(&path, 5000).await;
    it.index.close();
    it.log.cut(4000);
    it.log.push(orders(10_000, 3000));
    let again = Fixture::over(it.log.clone(), Some(&path));
    again.catch_up().await;
    check(&again).await;
    for particle in again.log.all() {
        assert_eq!(
            again.topic.id(&particle.id()).unwrap(),
            [particle.sequence()]
        );
    }
}

#[tokio::test]
async fn the_folder_of_another_store_is_not_believed() {
    let (_folder, path) = folder();
    let other = filled(&path, 5000).await;
    other.index.close();
    let log = TestLog::new("orders", 2);
    log.push(orders(3000, 6000));
    let it = Fixture::over(log, Some(&path));
    check(&it).await;
    it.catch_up().await;
    check(&it).await;
    for (ours, theirs) in it.log.all().iter().zip(other.log.all()).skip(1) {
        let found = it.topic.id(&ours.id()).unwrap();
        assert_eq!(found, [ours.sequence()]);
        let group = theirs.metadata().message_group().unwrap();
        let query = Query::message_group(group);
        let last = it.log.scan(&query, FindOptions::default()).last().copied();
        if ours.sequence().get() % 500 == 0 {
            assert_eq!(it.topic.group_last(group).unwrap(), last);
        }
    }
}

#[tokio::test]
async fn how_far_the_index_is_behind_is_told() {
    let it = Fixture::over(TestLog::new("orders", 1), None);
    it.log.push(orders(0, 100));
    assert_eq!(it.topic.behind(), None);
    it.catch_up().await;
    assert_eq!(it.topic.behind(), Some(0));
    it.log.push(orders(100, 100));
    assert!(it.topic.behind().unwrap() <= 100);
    it.catch_up().await;
    assert_eq!(it.topic.behind(), Some(0));
}

#[tokio::test]
async fn a_topic_of_the_same_name_sees_nothing_of_the_one_before() {
    let (_folder, path) = folder();
    for place in [None, Some(path.as_path())] {
        let log = TestLog::new("orders", 1);
        log.push(orders(0, 5000));
        let it = Fixture::over(log, place);
        it.catch_up().await;
        let old = it.log.all();
        it.index.forget(it.log.name());
        let log = TestLog::new("orders", 2);
        log.push(orders(5000, 100));
        let topic = it.index.follow(log.clone());
        let it = Fixture {
            log,
            index: it.index.clone(),
            topic,
        };
        it.catch_up().await;
        check(&it).await;
        let last = old.last().unwrap();
        assert!(it.topic.id(&last.id()).unwrap().is_empty());
        let group = last.metadata().message_group().unwrap();
        let query = Query::message_group(group);
        let known = it.log.scan(&query, FindOptions::default()).last().copied();
        assert_eq!(it.topic.group_last(group).unwrap(), known);
        it.index.close();
    }
}

#[tokio::test]
async fn the_entries_of_a_forgotten_topic_go() {
    let it = Fixture::over(TestLog::new("orders", 1), None);
    it.log.push(orders(0, 200_000));
    it.catch_up().await;
    let (table, _) = it.topic.shared.table().unwrap();
    it.index.forget(it.log.name());
    let entries = || {
        let mut count = 0;
        for space in [crate::table::Space::Groups, crate::table::Space::Runs] {
            let visit = &mut |_: &[u8], _: &[u8]| {
                count += 1;
                std::ops::ControlFlow::Continue(())
            };
            table.scan(space, &[], &[0xff; 30], visit).unwrap();
        }
        count
    };
    while entries() > 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_topic_that_is_followed_again_goes_on() {
    let (_folder, path) = folder();
    let it = filled(&path, 5000).await;
    let topic = it.index.follow(it.log.clone());
    assert!(it.topic.wait_through(Sequence::new(6000)).await.is_err());
    let it = Fixture {
        log: it.log.clone(),
        index: it.index.clone(),
        topic,
    };
    it.log.push(orders(5000, 5000));
    it.catch_up().await;
    check(&it).await;
}
