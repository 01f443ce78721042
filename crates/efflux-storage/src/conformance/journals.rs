//! What is kept of a consumer.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::fixture::Fixture;
use super::sample::{options, topic};
use crate::error::{Error, Result};
use crate::log::Journal;
use crate::store::Store;

async fn journal(store: &Store) -> Result<Arc<dyn Journal>> {
    let topic = store
        .topic_or_create(&"checked".parse()?, options())
        .await?;
    store
        .backend()
        .journal(topic.name(), &"keeper".parse()?)
        .await
}

/// Adds a record, durably if asked.
async fn add(journal: &dyn Journal, record: Vec<u8>, durable: bool) -> Result<()> {
    journal.append(record).await?;
    match durable {
        true => journal.sync().await,
        false => Ok(()),
    }
}

fn record(number: usize) -> Vec<u8> {
    format!("record {number} ").repeat(number % 50).into_bytes()
}

/// Records come back whole, oldest first, also after reopening; a new journal has none.
pub async fn records_come_back_in_order(fixture: &dyn Fixture) -> Result<()> {
    let mut store = fixture.open().await?;
    let mut expected = Vec::new();
    for round in 0..3 {
        let kept = journal(&store).await?;
        assert_eq!(kept.load().await?, expected);
        for number in round * 20..round * 20 + 20 {
            add(&*kept, record(number), number % 3 == 0).await?;
            expected.push(record(number));
        }
        add(&*kept, b"last".to_vec(), true).await?;
        expected.push(b"last".to_vec());
        drop(kept);
        store = fixture.reopen(store).await?;
    }
    assert_eq!(journal(&store).await?.load().await?, expected);
    Ok(())
}

/// Replacing leaves one record, to which others are added.
pub async fn a_replaced_journal_holds_one_record(fixture: &dyn Fixture) -> Result<()> {
    let store = fixture.open().await?;
    let kept = journal(&store).await?;
    for number in 0..10 {
        add(&*kept, record(number), false).await?;
    }
    kept.replace(b"summary".to_vec()).await?;
    add(&*kept, b"after".to_vec(), true).await?;
    drop(kept);
    let store = fixture.reopen(store).await?;
    let records = journal(&store).await?.load().await?;
    assert_eq!(records, [b"summary".to_vec(), b"after".to_vec()]);
    let topic = store.topic(&"checked".parse()?).await?;
    let consumers = store.backend().consumers(topic.name()).await?;
    assert_eq!(consumers, ["keeper".parse()?]);
    Ok(())
}

/// A deleted journal is not listed, and begins anew when it is opened again.
pub async fn a_deleted_journal_is_empty(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    let store = topic.store().clone();
    let kept = journal(&store).await?;
    add(&*kept, record(1), true).await?;
    kept.delete().await?;
    drop(kept);
    assert_eq!(store.backend().consumers(topic.name()).await?, []);
    drop(topic);
    let store = fixture.reopen(store).await?;
    assert_eq!(journal(&store).await?.load().await?, Vec::<Vec<u8>>::new());
    Ok(())
}

/// Records that many add at once are all kept, each caller's in its order.
pub async fn concurrent_records_are_all_kept(fixture: &dyn Fixture) -> Result<()> {
    const CALLERS: u8 = 8;
    const EACH: u8 = 25;
    let store = fixture.open().await?;
    let kept = journal(&store).await?;
    let mut tasks = JoinSet::new();
    for caller in 0..CALLERS {
        let kept = Arc::clone(&kept);
        tasks.spawn(async move {
            for number in 0..EACH {
                add(&*kept, vec![caller, number], number % 2 == 0).await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| Error::invalid(error.to_string()))??;
    }
    drop(kept);
    let store = fixture.reopen(store).await?;
    let records = journal(&store).await?.load().await?;
    for caller in 0..CALLERS {
        let of_caller = records
            .iter()
            .filter(|record| record.first() == Some(&caller));
        let numbers: Vec<_> = of_caller
            .filter_map(|record| record.get(1))
            .copied()
            .collect();
        assert!(numbers.into_iter().eq(0..EACH), "caller {caller}");
    }
    Ok(())
}
