//! Opening a consumer whose journal holds any bytes, with right checksums or wrong ones.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::allocations::at_once;
use crate::particle::Sequence;
use crate::small_store::{Small, block_on, consumer_name, open, topic_name};
use crate::storage::{Consumer, ConsumerOptions, ErrorKind, Start, StoreOptions};

/// Where the stamps stand: the generation, and two marks of what is durable.
const STAMPS_AT: [usize; 3] = [0, 512, 1024];
const STAMPED_BYTES: usize = 16;
const MAGIC: [u8; 8] = *b"EFXJRNL1";
const RECORDS_AT: usize = 1536;
const RECORD_HEAD_BYTES: usize = 16;
/// Most bytes that opening and reading may take for a journal of a few kilobytes.
const ALLOCATED_MAX: usize = 48 * 1024 * 1024;

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    let Some((first, edits)) = input.split_first() else {
        return;
    };
    let small = Small::pick(*first);
    let paths = small.paths(".journal");
    match first >> 6 {
        0 => small.change(&paths, edits, |bytes| seal(bytes)),
        1 => small.change(&paths, edits, |_| {}),
        // What the records hold is changed, and put into one record that checks.
        _ => small.change_inside(
            &paths,
            edits,
            |bytes| entries(&bytes),
            |bytes| *bytes = journal(bytes),
        ),
    }
    let ((), allocated) = at_once(|| block_on(consume(&small)));
    assert!(allocated <= ALLOCATED_MAX, "{allocated} bytes at once");
}

/// What all records of a journal hold, one after the other.
fn entries(journal: &[u8]) -> Vec<u8> {
    let mut rest = journal.get(RECORDS_AT..).unwrap_or_default();
    let mut entries = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let end = 12 + u32::from_le_bytes(*length) as usize;
        let (Some(record), Some(next)) = (after.get(12..end), after.get(end..)) else {
            break;
        };
        entries.extend_from_slice(record);
        rest = next;
    }
    entries
}

/// A journal with one record that holds these entries.
fn journal(entries: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; RECORDS_AT + RECORD_HEAD_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    let length = u32::try_from(entries.len()).expect("a short record");
    bytes[RECORDS_AT..RECORDS_AT + 4].copy_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(entries);
    for at in [512, 1024] {
        let durable = bytes.len() as u64;
        bytes[at..at + 8].copy_from_slice(&durable.to_le_bytes());
    }
    seal(&mut bytes);
    bytes
}

/// Makes all checksums right, and the numbers of the records.
fn seal(bytes: &mut [u8]) {
    for at in STAMPS_AT {
        let stamp = bytes.get_mut(at..at + STAMPED_BYTES + 4);
        if let Some((stamped, checksum)) = stamp.map(|stamp| stamp.split_at_mut(STAMPED_BYTES)) {
            checksum.copy_from_slice(&crc32c::crc32c(stamped).to_le_bytes());
        }
    }
    let Some((head, mut rest)) = bytes.split_at_mut_checked(RECORDS_AT) else {
        return;
    };
    let mut before = crc32c::crc32c(&head[8..16]);
    for number in 0_u64.. {
        let Some((fields, after)) = rest.split_first_chunk_mut::<RECORD_HEAD_BYTES>() else {
            return;
        };
        let length: [u8; 4] = fields[..4].try_into().expect("four bytes");
        let bytes = u32::from_le_bytes(length) as usize;
        let Some((record, after)) = after.split_at_mut_checked(bytes) else {
            return;
        };
        fields[4..12].copy_from_slice(&number.to_le_bytes());
        let chained = [&before.to_le_bytes()[..], &fields[..12]].concat();
        before = crc32c::crc32c_append(crc32c::crc32c(&chained), record);
        fields[12..].copy_from_slice(&before.to_le_bytes());
        rest = after;
    }
}

/// A consumer is inspected, opened and used, or said to be damaged; then it can be deleted.
async fn consume(small: &Small) {
    let store = open(&small.disk, StoreOptions::default()).await;
    let store = store.expect("the store is whole");
    let topic = store
        .topic(&topic_name())
        .await
        .expect("the topic is whole");
    let is_there = !small.paths(".journal").is_empty();
    let inspected = Consumer::inspect(&topic, &consumer_name()).await;
    // A journal without any record is that of a consumer which was never made.
    if !inspected
        .as_ref()
        .is_err_and(|error| error.kind() == ErrorKind::NotFound)
    {
        small.sound(inspected);
    }
    let options = ConsumerOptions::default().with_max_deliveries(None);
    let opened = Consumer::open(&topic, &consumer_name(), options.clone()).await;
    if let Some(consumer) = small.sound(opened) {
        consumer.status().await.expect("it is open");
        let mut committed = BTreeSet::new();
        let deliveries = consumer.receive(100, Duration::ZERO).await;
        for one in deliveries.expect("the topic is whole") {
            let done = consumer.commit(&[one.ticket]).await;
            done.expect("the ticket is good");
            committed.insert(one.particle.sequence());
        }
        drop(consumer);
        let again = Consumer::open(&topic, &consumer_name(), options).await;
        let again = again.expect("what was written is read");
        for one in again
            .receive(100, Duration::ZERO)
            .await
            .expect("it is open")
        {
            assert!(!committed.contains(&one.particle.sequence()));
        }
        again
            .seek(Start::Sequence(Sequence::FIRST))
            .await
            .expect("a place");
        let all = again
            .receive(100, Duration::ZERO)
            .await
            .expect("it is open");
        assert_eq!(
            all.first().map(|one| one.particle.sequence()),
            Some(Sequence::FIRST)
        );
    }
    if is_there {
        let deleted = Consumer::delete(&topic, &consumer_name()).await;
        deleted.expect("a damaged consumer can be deleted");
    }
    store.close().await.expect("nothing fails");
}
