//! Consumers as their users see them, on topics in memory and in files, with a clock of the test's.

mod crash;
mod lasting;
mod sharing;

use std::sync::Arc;
use std::time::Duration;

use efflux_particle::{ConsumerName, Message, Timestamp};

use super::{Consumer, ConsumerOptions, Delivery, Ticket};
use crate::clock::ManualClock;
use crate::disk::RealDisk;
use crate::options::{StoreOptions, TopicOptions};
use crate::store::Store;
use crate::topic::Topic;

const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);
const LEASE: Duration = Duration::from_secs(90);

async fn store(url: &str, clock: &ManualClock) -> Store {
    let (clock, disk) = (Arc::new(clock.clone()), Arc::new(RealDisk));
    Store::open_in(url, StoreOptions::default(), clock, disk)
        .await
        .unwrap()
}

async fn topic(clock: &ManualClock) -> Topic {
    let store = store("mem:", clock).await;
    store
        .create_topic(&"orders".parse().unwrap(), TopicOptions::default())
        .await
        .unwrap()
}

fn name() -> ConsumerName {
    "billing".parse().unwrap()
}

async fn open(topic: &Topic, options: ConsumerOptions) -> Consumer {
    Consumer::open(topic, &name(), options).await.unwrap()
}

/// Appends messages; the text before a slash is their group.
async fn append(topic: &Topic, texts: &[&str]) {
    let message = |text: &&str| {
        let message = Message::new((*text).to_owned());
        match text.split_once('/') {
            Some((group, _)) => message.with_message_group(group),
            None => message,
        }
    };
    topic
        .append_batch(texts.iter().map(message).collect())
        .await
        .unwrap();
}

async fn receive(consumer: &Consumer, max: usize) -> Vec<Delivery> {
    consumer.receive(max, Duration::ZERO).await.unwrap()
}

fn texts(deliveries: &[Delivery]) -> Vec<String> {
    let text = |delivery: &Delivery| String::from_utf8(delivery.particle.payload().to_vec());
    deliveries
        .iter()
        .map(|delivery| text(delivery).unwrap())
        .collect()
}

fn tickets(deliveries: &[Delivery]) -> Vec<Ticket> {
    deliveries.iter().map(|delivery| delivery.ticket).collect()
}
