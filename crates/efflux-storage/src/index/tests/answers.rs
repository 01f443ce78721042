//! What is found is what a scan finds.

use efflux_particle::{Sequence, Timestamp};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::log::TestLog;
use super::sample::{any_message, any_query, order, orders};
use super::{Fixture, folder};
use crate::find::FindOptions;
use crate::log::TopicLog;
use crate::query::Query;

fn any_options() -> impl Strategy<Value = FindOptions> {
    let end = proptest::option::of(0..60_u64);
    (
        0..60_u64,
        end,
        any::<bool>(),
        proptest::option::of(0..20_usize),
    )
        .prop_map(|(from, until, reverse, limit)| FindOptions {
            from: Sequence::new(from / 2),
            until: until.map(Sequence::new),
            reverse,
            limit,
        })
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #[test]
    fn find_equals_a_scan(
        messages in proptest::collection::vec(any_message(), 0..50),
        cuts in proptest::collection::vec(0..50_usize, 0..20),
        queries in proptest::collection::vec((any_query(), any_options()), 1..12),
    ) {
        runtime().block_on(async {
            let it = Fixture::over(TestLog::new("orders", 1), None);
            let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < messages.len()).collect();
            cuts.sort_unstable();
            let mut start = 0;
            for cut in cuts {
                it.log.push(messages[start..cut].iter().cloned());
                it.catch_up().await;
                start = cut;
            }
            it.log.push(messages[start..].iter().cloned());
            for (query, options) in &queries {
                it.check(query, *options).await;
            }
            it.catch_up().await;
            for (query, options) in &queries {
                it.check(query, *options).await;
            }
        });
    }
}

fn queries() -> Vec<Query> {
    let mut texts: Vec<String> = [
        "",
        "data_type = 'order.kind-3'",
        "data_type = 'order.kind-3' and properties.region = 'r7'",
        "data_type = 'order.kind-3' and not properties.region = 'r7'",
        "data_type != 'order.kind-3' and message_group = 'customer-77'",
        "message_group = 'customer-77' or message_group = 'customer-78'",
        "properties.region in ('r1', 'r2') and content_type = 'application/json'",
        "message_group = 'customer-77' and data_type ^= 'order.kind-1' and properties.order exists",
        "message_group = 'customer-77' and data_type != 'order.kind-4' and not content_type exists",
        "message_group = 'customer-77' and timestamp >= 2020-09-14T00:00:00Z and sequence > 1000",
        "properties.region exists and data_type exists and message_group = 'customer-78'",
        "data_type ^= 'order.kind-1'",
        "properties.order ^= 'order-1'",
        "properties.order not exists and data_type = 'order.kind-1'",
        "properties.note exists and properties.region = 'r3'",
        "properties.note ^= 'long' and data_type = 'order.kind-5'",
        "timestamp >= 2020-09-14T00:00:00Z and timestamp < 2020-09-14T12:00:00Z",
        "created >= 2023-11-14T22:14:00Z and created < 2023-11-14T22:14:01Z",
        "sequence >= 65530 and sequence <= 65545",
        "properties.nothing = 'x'",
        "id = 'text-130'",
        "id = 'text-131'",
    ]
    .map(str::to_owned)
    .into();
    for number in [7, 70_001] {
        let message = order(number);
        let value = message.property("order").unwrap();
        texts.push(format!("properties.order = '{value}'"));
        texts.push(format!(
            "properties.order != '{value}' and data_type = 'order.kind-4'"
        ));
    }
    texts
        .iter()
        .map(|text| text.parse().unwrap_or_else(|e| panic!("{text}: {e}")))
        .collect()
}

async fn check_all(it: &Fixture) {
    for query in queries() {
        for (reverse, limit) in [
            (false, None),
            (true, None),
            (false, Some(10)),
            (true, Some(10)),
        ] {
            it.check(
                &query,
                FindOptions {
                    reverse,
                    limit,
                    ..FindOptions::default()
                },
            )
            .await;
        }
        let middle = FindOptions::default().with_from(Sequence::new(60_000));
        it.check(&query, middle.with_until(Sequence::new(70_000)))
            .await;
        it.check(
            &query,
            middle.with_until(Sequence::new(70_000)).with_reverse(true),
        )
        .await;
    }
}

/// Several runs, of which some are merged, and a tail.
#[tokio::test]
async fn several_runs_answer_like_a_scan_on_disk_and_in_memory() {
    let log = TestLog::new("orders", 1);
    log.push(orders(0, 150_000));
    let (_folder, path) = folder();
    for place in [None, Some(path.as_path())] {
        let it = Fixture::over(log.clone(), place);
        it.catch_up().await;
        log.push(orders(150_000, 3000));
        check_all(&it).await;
        it.index.close();
    }
}

#[tokio::test]
async fn a_million_particles_are_merged_and_found() {
    let log = TestLog::new("orders", 1);
    log.push(orders(0, 16 * 65_536 + 1000));
    let it = Fixture::over(log, None);
    it.catch_up().await;
    while it.runs() > 2 {
        tokio::task::yield_now().await;
    }
    let limit = FindOptions::default().with_limit(100);
    for query in queries() {
        it.check(&query, limit).await;
        it.check(&query, limit.with_reverse(true)).await;
    }
}

#[tokio::test]
async fn every_id_and_group_is_found() {
    let log = TestLog::new("orders", 1);
    let (_folder, path) = folder();
    let it = Fixture::over(log, Some(&path));
    for part in 0..30 {
        it.log.push(orders(part * 100, 100));
        it.catch_up().await;
    }
    let mut last = std::collections::HashMap::new();
    for particle in it.log.all() {
        assert_eq!(it.topic.id(&particle.id()).unwrap(), [particle.sequence()]);
        if let Some(group) = particle.metadata().message_group() {
            last.insert(group.to_owned(), particle.sequence());
        }
    }
    for (group, sequence) in last {
        assert_eq!(
            it.topic.group_last(&group).unwrap(),
            Some(sequence),
            "{group}"
        );
    }
    assert_eq!(it.topic.group_last("nobody").unwrap(), None);
    assert!(it.topic.id(&"nobody".parse().unwrap()).unwrap().is_empty());
}

#[tokio::test]
async fn a_trickle_leaves_few_runs() {
    let it = Fixture::over(TestLog::new("orders", 1), None);
    for number in 0..3000 {
        it.log.push([order(number)]);
        it.catch_up().await;
    }
    // 16 runs of each size at most, of sizes 1, 16, 256.
    let runs = it.runs();
    assert!((1..=48).contains(&runs), "{runs} runs");
    check_all(&it).await;
}

#[tokio::test]
async fn times_are_found_out_of_order() {
    let log = TestLog::new("orders", 1);
    let time = |number: i64| Timestamp::from_nanos(number * 1_000_000_000);
    // Ten imports, each older than the one before.
    for import in (0..10).rev() {
        let messages = (0..1000_i64).map(|n| order(7).with_timestamp(time(import * 1000 + n)));
        log.push(messages);
    }
    let it = Fixture::over(log, None);
    it.topic.wait_through(it.log.head().sequence).await.unwrap();
    for (from, until) in [(0, 10), (999, 1001), (4500, 4600), (9999, 20_000), (-5, 0)] {
        let query = Query::timestamp_from(time(from)).and(Query::timestamp_before(time(until)));
        it.check(&query, FindOptions::default()).await;
        it.check(&query, FindOptions::default().with_reverse(true))
            .await;
    }
}

#[tokio::test]
async fn times_are_found_after_the_clock_stepped() {
    let log = TestLog::new("orders", 1);
    // An hour back after a thousand particles, a day ahead after two thousand, and back again.
    let clock = |made: i64| {
        let step = match made / 1000 {
            1 => -3600,
            2 => 86_400,
            _ => 0,
        };
        (1_700_000_000 + step + made) * 1_000_000_000
    };
    let it = Fixture::over(log, None);
    for part in 0..8 {
        it.log.push_at(orders(part * 500, 500), clock);
        it.catch_up().await;
    }
    let time = |second: i64| Timestamp::from_nanos((1_700_000_000 + second) * 1_000_000_000);
    for (from, until) in [
        (-3600, -2000),
        (0, 10),
        (990, 3010),
        (86_400, 90_000),
        (-9, 1),
        (5000, 80_000),
    ] {
        let query = Query::created_from(time(from)).and(Query::created_before(time(until)));
        it.check(&query, FindOptions::default()).await;
        it.check(&query, FindOptions::default().with_reverse(true))
            .await;
    }
}
