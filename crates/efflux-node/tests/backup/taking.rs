//! Taking backups: beside a writer, again and again, and of what is another history.

use std::sync::Arc;

use efflux_node::backup::Backup;
use efflux_node::particle::{Message, Sequence};
use efflux_node::storage::conformance::SimDisk;
use efflux_node::storage::{ErrorKind, Progress, Store, StoreOptions, SystemClock};

use crate::place::{
    FOLDER, assert_same, checked, files, fill, half_done, memory, name, open, restored, take, topic,
};

#[tokio::test]
async fn topics_and_consumers_come_back_as_they_were() {
    let (store, disk) = (memory().await, SimDisk::new(1));
    for orders in ["orders", "orders.eu"] {
        let topic = topic(&store, orders).await;
        fill(&topic, 20).await;
        half_done(&topic, "billing").await;
        half_done(&topic, "shipping").await;
    }
    topic(&store, "empty").await;
    let taken = take(&disk, &store).await;
    assert_eq!((taken.topics.len(), taken.refused.len()), (3, 0));
    assert_eq!(taken.topics[1].consumers, 2);
    assert!(files(&disk, "orders").len() > 3);
    assert_same(&store, &restored(&disk).await).await;
}

#[tokio::test]
async fn a_backup_is_taken_beside_a_writer() {
    let (disk, backups) = (SimDisk::new(2), SimDisk::new(3));
    let on = |options: StoreOptions| {
        let disk = Arc::new(disk.clone());
        Store::open_in("file:/a/store", options, Arc::new(SystemClock), disk)
    };
    let writer = on(StoreOptions::default()).await.unwrap();
    let orders = topic(&writer, "orders").await;
    fill(&orders, 10).await;
    let consumer = half_done(&orders, "billing").await;
    for _ in 0..3 {
        let reader = on(StoreOptions::default().read_only()).await.unwrap();
        let taken = take(&backups, &reader).await;
        assert_eq!(taken.topics[0].head, orders.head());
        assert_same(&writer, &restored(&backups).await).await;
        fill(&orders, 3).await;
        let more = consumer
            .receive(2, std::time::Duration::ZERO)
            .await
            .unwrap();
        consumer.commit(&[more[1].ticket]).await.unwrap();
    }
}

#[tokio::test]
async fn a_run_adds_only_what_is_new() {
    let (store, disk) = (memory().await, SimDisk::new(4));
    let orders = topic(&store, "orders").await;
    fill(&orders, 20).await;
    let first = take(&disk, &store).await.topics[0].clone();
    assert_eq!(first.added.0, orders.head().sequence.get() + 1);
    let before = files(&disk, "orders");
    let again = take(&disk, &store).await.topics[0].clone();
    assert_eq!((again.added, again.head), ((0, 0), first.head));
    assert_eq!(files(&disk, "orders"), before);
    orders.append(Message::new("one more")).await.unwrap();
    let third = take(&disk, &store).await.topics[0].clone();
    assert_eq!(third.added.0, 1);
    let after = files(&disk, "orders");
    let kept = before.iter().filter(|file| after.contains(file)).count();
    assert!(kept + 1 >= before.len(), "{before:?} {after:?}");
    assert_eq!(checked(&disk).await.unwrap()[0].1, orders.head());
}

#[tokio::test]
async fn small_files_are_merged_and_none_is_left_behind() {
    let (store, disk) = (memory().await, SimDisk::new(5));
    let orders = topic(&store, "orders").await;
    let folder = std::path::Path::new(FOLDER);
    for _ in 0..30 {
        let backup = Backup::open_or_create_in(folder, Arc::new(disk.clone())).unwrap();
        let mut backup = backup.with_file_bytes(64 * 1024);
        backup
            .take(&store, &[], &Progress::default())
            .await
            .unwrap();
        orders.append(Message::new("one more")).await.unwrap();
    }
    // A merged file has at least 2 KiB, a particle some 200 bytes.
    let found = files(&disk, "orders");
    assert!((2..8).contains(&found.len()), "{found:?}");
    let heads = checked(&disk).await.unwrap();
    assert_eq!(heads[0].1.sequence, Sequence::new(29));
}

#[tokio::test]
async fn a_topic_that_was_made_anew_is_refused_and_the_former_one_kept() {
    let (store, disk) = (memory().await, SimDisk::new(6));
    fill(&topic(&store, "orders").await, 5).await;
    fill(&topic(&store, "other").await, 5).await;
    take(&disk, &store).await;
    let before = (files(&disk, "orders"), checked(&disk).await.unwrap());
    store.delete_topic(&name("orders")).await.unwrap();
    fill(&topic(&store, "orders").await, 9).await;
    fill(&topic(&store, "other").await, 1).await;
    let taken = take(&disk, &store).await;
    assert_eq!(taken.topics[0].name, name("other"));
    let (refused, error) = &taken.refused[0];
    assert_eq!(
        (refused, error.kind()),
        (&name("orders"), ErrorKind::Conflict)
    );
    assert!(error.to_string().contains("made anew"), "{error}");
    assert_eq!(files(&disk, "orders"), before.0);
    assert_eq!(checked(&disk).await.unwrap()[0], before.1[0]);
}

#[tokio::test]
async fn another_history_is_refused() {
    let (store, disk) = (memory().await, SimDisk::new(7));
    fill(&topic(&store, "orders").await, 5).await;
    take(&disk, &store).await;
    // A store that was restored from the backup and went on alone.
    let other = restored(&disk).await;
    fill(&topic(&store, "orders").await, 2).await;
    take(&disk, &store).await;
    let set_back = take(&disk, &other).await;
    assert!(set_back.refused[0].1.to_string().contains("goes up to"));
    fill(&topic(&other, "orders").await, 3).await;
    let taken = take(&disk, &other).await;
    let (_, error) = &taken.refused[0];
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error.to_string().contains("its history is not the one"),
        "{error}"
    );
    assert_same(&store, &restored(&disk).await).await;
}

#[tokio::test]
async fn topics_that_are_gone_are_told_and_kept() {
    let (store, disk) = (memory().await, SimDisk::new(8));
    topic(&store, "orders").await;
    topic(&store, "other").await;
    take(&disk, &store).await;
    store.delete_topic(&name("orders")).await.unwrap();
    let taken = take(&disk, &store).await;
    assert_eq!((taken.gone, taken.topics.len()), (vec![name("orders")], 1));
    assert_eq!(checked(&disk).await.unwrap().len(), 2);
}

#[tokio::test]
async fn damage_in_a_store_is_refused_on_the_way_in() {
    let (disk, backups) = (SimDisk::new(9), SimDisk::new(10));
    let on = || {
        let disk = Arc::new(disk.clone());
        Store::open_in(
            "file:/a/store",
            StoreOptions::default(),
            Arc::new(SystemClock),
            disk,
        )
    };
    let store = on().await.unwrap();
    fill(&topic(&store, "orders").await, 20).await;
    fill(&topic(&store, "other").await, 1).await;
    store.close().await.unwrap();
    let files = disk.files().into_iter().map(|(path, _)| path);
    let mut segments = files.filter(|path| path.contains("orders") && path.ends_with(".seg"));
    let segment = segments.nth(3).unwrap();
    disk.flip(std::path::Path::new(&segment), 1500, 3).unwrap();
    let store = on().await.unwrap();
    let taken = take(&backups, &store).await;
    assert_eq!(taken.topics[0].name, name("other"));
    assert_eq!(taken.refused[0].1.kind(), ErrorKind::Corrupt);
    let heads = checked(&backups).await.unwrap();
    assert!(heads.iter().any(|(topic, _)| *topic == name("other")));
}

#[tokio::test]
async fn other_folders_and_a_second_run_are_refused() {
    let disk: Arc<dyn efflux_node::storage::Disk> = Arc::new(SimDisk::new(11));
    let folder = std::path::Path::new(FOLDER);
    let held = Backup::open_or_create_in(folder, Arc::clone(&disk)).unwrap();
    let second = Backup::open_or_create_in(folder, Arc::clone(&disk)).unwrap_err();
    assert_eq!(second.kind(), ErrorKind::Conflict);
    let mut reading = Backup::open_in(folder, Arc::clone(&disk)).unwrap();
    let store = memory().await;
    let refused = reading.take(&store, &[], &Progress::default()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    drop(held);
    Backup::open_or_create_in(folder, Arc::clone(&disk)).unwrap();
    let above = folder.parent().unwrap();
    let foreign = Backup::open_or_create_in(above, Arc::clone(&disk)).unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::Invalid);
    assert!(!disk.exists(&above.join("LOCK")));
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_named() {
    let (store, disk) = (memory().await, SimDisk::new(12));
    take(&disk, &store).await;
    let folder = std::path::Path::new(FOLDER);
    let mut backup = Backup::open_or_create_in(folder, Arc::new(disk.clone())).unwrap();
    let asked = [name("missing")];
    let refused = backup
        .take(&store, &asked, &Progress::default())
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    let backup = open(&disk).unwrap();
    let refused = backup
        .check(&asked, &Progress::default())
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("no topic missing"),
        "{refused}"
    );
}
