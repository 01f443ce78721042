//! Restoring: into stores that have some of the topics, and again.

use std::sync::Arc;

use efflux_node::particle::Message;
use efflux_node::storage::conformance::SimDisk;
use efflux_node::storage::{ErrorKind, Store, StoreOptions, SystemClock};

use crate::place::{assert_same, fill, half_done, memory, name, restore_into, take, topic};

async fn on(disk: &SimDisk) -> Store {
    let disk = Arc::new(disk.clone());
    let opened = Store::open_in(
        "file:/r/store",
        StoreOptions::default(),
        Arc::new(SystemClock),
        disk,
    );
    opened.await.unwrap()
}

async fn backed_up() -> (Store, SimDisk) {
    let (store, disk) = (memory().await, SimDisk::new(1));
    for orders in ["a", "b", "c"] {
        let topic = topic(&store, orders).await;
        fill(&topic, 9).await;
        half_done(&topic, "billing").await;
    }
    take(&disk, &store).await;
    (store, disk)
}

#[tokio::test]
async fn restoring_again_leaves_what_is_there() {
    let (store, disk) = backed_up().await;
    let other = on(&SimDisk::new(2)).await;
    assert_eq!(restore_into(&disk, &other).await.unwrap(), 3);
    assert_eq!(restore_into(&disk, &other).await.unwrap(), 0);
    other.delete_topic(&name("b")).await.unwrap();
    assert_eq!(restore_into(&disk, &other).await.unwrap(), 1);
    assert_same(&store, &other).await;
}

#[tokio::test]
async fn a_topic_with_another_head_is_a_conflict_and_nothing_is_changed() {
    let (_, disk) = backed_up().await;
    let other = memory().await;
    let made = topic(&other, "c").await;
    let refused = restore_into(&disk, &other).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(other.topics().await.unwrap(), [name("c")]);
    assert_eq!(other.topic(&name("c")).await.unwrap().head(), made.head());
}

#[tokio::test]
async fn a_restored_store_can_be_backed_up_on_and_written() {
    let (_, disk) = backed_up().await;
    let other = on(&SimDisk::new(3)).await;
    restore_into(&disk, &other).await.unwrap();
    let orders = topic(&other, "a").await;
    orders.append(Message::new("after")).await.unwrap();
    let taken = take(&disk, &other).await;
    assert_eq!((taken.topics[0].added.0, taken.refused.len()), (1, 0));
    assert_same(&other, &crate::place::restored(&disk).await).await;
}
