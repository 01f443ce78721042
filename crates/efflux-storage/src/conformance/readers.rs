//! Processes beside the one that writes. Where no other process can reach a store, nothing is
//! checked.

use efflux_particle::Sequence;

use super::fixture::Fixture;
use super::sample::{fill, kind, message, options, read_all, topic};
use crate::error::{ErrorKind, Result};
use crate::options::StoreOptions;
use crate::verify::Progress;

/// A reader sees what was appended and what is appended, and whatever it tries changes nothing.
pub async fn a_reader_sees_what_is_appended_and_changes_nothing(
    fixture: &dyn Fixture,
) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..20).await?;
    let Some(reader) = fixture
        .open_beside(StoreOptions::default().read_only())
        .await
    else {
        return Ok(());
    };
    let reader = reader?;
    assert!(!reader.is_writable() && topic.store().is_writable());
    let seen = reader.topic(topic.name()).await?;
    assert_eq!(read_all(&seen).await?, read_all(&topic).await?);
    let invalid = Some(ErrorKind::Invalid);
    assert_eq!(kind(&seen.append(message(0)).await), invalid);
    assert_eq!(
        kind(&reader.create_topic(&"other".parse()?, options()).await),
        invalid
    );
    assert_eq!(kind(&reader.delete_topic(topic.name()).await), invalid);
    let mut follower = seen.follow(Sequence::new(21));
    for round in 0..5 {
        fill(&topic, round * 20..round * 20 + 20).await?;
        let mut count = 0;
        while count < 20 {
            let batch = follower.next_batch().await?;
            count += batch.len();
        }
        assert_eq!(count, 20);
        assert_eq!(seen.head(), topic.head());
        let verified = seen.verify(Progress::default()).await?;
        assert_eq!(verified.head, topic.head());
        assert_eq!(verified.notes, Vec::<String>::new());
    }
    reader.close().await?;
    topic.append(message(0)).await?;
    Ok(())
}

/// A second writer is refused with the first one's name, until that one is closed.
pub async fn a_second_writer_is_told_who_holds_the_store(fixture: &dyn Fixture) -> Result<()> {
    let store = fixture.open().await?;
    let Some(second) = fixture.open_beside(StoreOptions::default()).await else {
        return Ok(());
    };
    assert_eq!(kind(&second), Some(ErrorKind::Conflict));
    let holder = format!("process {}", std::process::id());
    assert!(second.is_err_and(|error| error.to_string().contains(&holder)));
    store.close().await?;
    drop(store);
    let third = fixture.open_beside(StoreOptions::default()).await;
    assert!(third.is_none_or(|third| third.is_ok()));
    Ok(())
}
