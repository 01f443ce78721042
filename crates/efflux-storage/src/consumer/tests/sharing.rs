//! Workers that share a consumer: order, leases, groups, waiting.

use tokio::task::yield_now;

use super::*;
use crate::consumer::Start;
use crate::error::ErrorKind;

#[tokio::test]
async fn particles_come_in_order_and_once_and_the_root_never() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    let consumer = open(&topic, ConsumerOptions::default()).await;
    assert!(receive(&consumer, 10).await.is_empty());
    append(&topic, &["1", "2", "3"]).await;
    let first = receive(&consumer, 2).await;
    assert_eq!(texts(&first), ["1", "2"]);
    assert_eq!(first[0].deliveries, 1);
    assert_eq!(texts(&receive(&consumer, 2).await), ["3"]);
    consumer.commit(&tickets(&first)).await.unwrap();
    let status = consumer.status().await.unwrap();
    assert_eq!(
        (status.position.get(), status.lag, status.in_flight),
        (3, 1, 1)
    );
    assert_eq!((status.head.get(), status.delayed, status.epoch), (3, 0, 1));
}

#[tokio::test]
async fn a_lease_that_runs_out_goes_to_another_worker_and_the_late_commit_is_refused() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["1"]).await;
    let slow = open(&topic, ConsumerOptions::default()).await;
    let quick = open(&topic, ConsumerOptions::default()).await;
    let late = tickets(&receive(&slow, 1).await);
    assert!(receive(&quick, 1).await.is_empty());
    clock.advance(LEASE);
    let again = receive(&quick, 1).await;
    assert_eq!((again.len(), again[0].deliveries), (1, 2));

    let error = slow.commit(&late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("1@1.1"), "{error}");
    quick.commit(&tickets(&again)).await.unwrap();
    quick.commit(&tickets(&again)).await.unwrap();
    assert!(slow.commit(&late).await.is_err());
    assert_eq!(slow.status().await.unwrap().redelivered, 1);
}

#[tokio::test]
async fn a_ticket_is_good_after_its_lease_while_nobody_else_has_the_particle() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["1", "2"]).await;
    let consumer = open(&topic, ConsumerOptions::default()).await;
    let both = tickets(&receive(&consumer, 2).await);
    clock.advance(LEASE * 2);
    consumer.commit(&both[..1]).await.unwrap();
    consumer.extend(&both[1..], LEASE).await.unwrap();
    assert!(receive(&consumer, 2).await.is_empty());
    assert_eq!(consumer.status().await.unwrap().in_flight, 1);
}

#[tokio::test]
async fn groups_are_in_flight_one_at_a_time_and_hold_up_nobody_else() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["a/1", "a/2", "b/1", "-", "a/3", "b/2"]).await;
    let consumer = open(&topic, ConsumerOptions::default()).await;
    let first = receive(&consumer, 10).await;
    assert_eq!(texts(&first), ["a/1", "b/1", "-"]);
    consumer
        .rollback(&[first[0].ticket], Duration::from_secs(5))
        .await
        .unwrap();
    consumer.commit(&[first[1].ticket]).await.unwrap();
    assert_eq!(texts(&receive(&consumer, 10).await), ["b/2"]);
    clock.advance(Duration::from_secs(5));
    let again = receive(&consumer, 10).await;
    assert_eq!(
        (texts(&again), again[0].deliveries),
        (vec!["a/1".to_owned()], 2)
    );
    consumer.commit(&tickets(&again)).await.unwrap();
    assert_eq!(texts(&receive(&consumer, 10).await), ["a/2"]);
}

#[tokio::test]
async fn what_comes_back_comes_first_and_oldest_first() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["1", "2", "3", "4"]).await;
    let consumer = open(&topic, ConsumerOptions::default()).await;
    let three = tickets(&receive(&consumer, 3).await);
    consumer
        .rollback(&three[2..], Duration::ZERO)
        .await
        .unwrap();
    consumer
        .rollback(&three[..1], Duration::ZERO)
        .await
        .unwrap();
    consumer
        .rollback(&three[..1], Duration::from_secs(60))
        .await
        .unwrap();
    assert_eq!(consumer.status().await.unwrap().delayed, 2);
    assert_eq!(texts(&receive(&consumer, 10).await), ["1", "3", "4"]);
    assert!(consumer.commit(&three[..1]).await.is_err());
}

#[tokio::test]
async fn no_more_than_max_in_flight_are_leased() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["1", "2", "3"]).await;
    let consumer = open(&topic, ConsumerOptions::default().with_max_in_flight(2)).await;
    let two = receive(&consumer, 10).await;
    assert_eq!(two.len(), 2);
    assert!(receive(&consumer, 10).await.is_empty());
    // Who waits is woken by the commit, and by nothing that is appended.
    let waiting = tokio::spawn({
        let consumer = consumer.clone();
        async move { consumer.receive(10, LEASE / 2).await.unwrap() }
    });
    append(&topic, &["4"]).await;
    yield_now().await;
    assert!(!waiting.is_finished());
    consumer.commit(&tickets(&two[..1])).await.unwrap();
    assert_eq!(texts(&waiting.await.unwrap()), ["3"]);
}

#[tokio::test]
async fn a_receive_wakes_for_new_particles_delays_leases_and_its_own_end() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    let consumer = open(&topic, ConsumerOptions::default()).await;
    let wait = |time: Duration| {
        let consumer = consumer.clone();
        tokio::spawn(async move { consumer.receive(10, time).await.unwrap() })
    };
    let waiting = wait(LEASE * 10);
    yield_now().await;
    append(&topic, &["1"]).await;
    let got = waiting.await.unwrap();
    consumer
        .rollback(&tickets(&got), Duration::from_secs(10))
        .await
        .unwrap();

    let waiting = wait(LEASE * 10);
    yield_now().await;
    clock.advance(Duration::from_secs(10));
    assert_eq!(waiting.await.unwrap()[0].deliveries, 2);

    let waiting = wait(LEASE * 10);
    yield_now().await;
    clock.advance(LEASE);
    assert_eq!(waiting.await.unwrap()[0].deliveries, 3);

    let waiting = wait(Duration::from_secs(1));
    yield_now().await;
    clock.advance(Duration::from_secs(1));
    assert!(waiting.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_start_is_the_root_the_head_a_place_or_a_time() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    for text in ["1", "2", "3"] {
        append(&topic, &[text]).await;
        clock.advance(Duration::from_secs(1));
    }
    let sequence = |number: u64| Start::Sequence(number.into());
    let time = |millis: u64| Start::Time(NOW.plus(Duration::from_millis(millis)));
    let all: [(Start, &[&str]); 10] = [
        (Start::Root, &["1", "2", "3", "4"]),
        (Start::Head, &["4"]),
        (sequence(0), &["1", "2", "3", "4"]),
        (sequence(2), &["2", "3", "4"]),
        (sequence(4), &["4"]),
        (Start::Time(Timestamp::MIN), &["1", "2", "3", "4"]),
        (time(0), &["1", "2", "3", "4"]),
        (time(500), &["2", "3", "4"]),
        (time(1000), &["2", "3", "4"]),
        (time(60_000), &["4"]),
    ];
    let mut opened = Vec::new();
    let moved = open(&topic, ConsumerOptions::default()).await;
    for (number, (start, _)) in all.iter().enumerate() {
        let name = format!("c{number}").parse().unwrap();
        let options = ConsumerOptions::default().with_start(*start);
        opened.push(Consumer::open(&topic, &name, options).await.unwrap());
    }
    let error = moved.seek(sequence(5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    append(&topic, &["4"]).await;
    for (consumer, (start, expect)) in opened.iter().zip(all) {
        assert_eq!(texts(&receive(consumer, 10).await), expect, "{start:?}");
    }
    let stale = tickets(&receive(&moved, 2).await);
    moved.seek(sequence(2)).await.unwrap();
    assert!(moved.commit(&stale).await.is_err());
    let again = receive(&moved, 2).await;
    assert_eq!(
        (texts(&again), again[0].deliveries),
        (vec!["2".into(), "3".into()], 1)
    );
}

#[tokio::test]
async fn settings_out_of_bounds_are_refused() {
    let clock = ManualClock::at(NOW);
    let topic = topic(&clock).await;
    append(&topic, &["1"]).await;
    let consumer = open(&topic, ConsumerOptions::default()).await;
    let ticket = tickets(&receive(&consumer, 1).await);
    let too_long = Duration::from_secs(8 * 24 * 60 * 60);
    for error in [
        consumer.receive(0, Duration::ZERO).await.unwrap_err(),
        consumer.rollback(&ticket, too_long).await.unwrap_err(),
        consumer.extend(&ticket, too_long).await.unwrap_err(),
        consumer.extend(&ticket, Duration::ZERO).await.unwrap_err(),
        Consumer::open(
            &topic,
            &name(),
            ConsumerOptions::default().with_max_in_flight(0),
        )
        .await
        .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    consumer.commit(&[]).await.unwrap();
}
