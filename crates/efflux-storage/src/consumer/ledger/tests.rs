//! What the bounds of a consumer do, and what a ticket is good for.

use std::time::Duration;

use efflux_particle::{Sequence, Timestamp};

use super::{Ledger, Offer};
use crate::consumer::entry::{Entry, Reader};
use crate::consumer::groups::GroupKey;
use crate::consumer::limits::{COMMITTED_RUNS_MAX, OPEN_MAX, PARKED_MAX};
use crate::consumer::options::ConsumerOptions;
use crate::consumer::ticket::Ticket;
use crate::journal::RECORD_BYTES_MAX;

fn ledger() -> Ledger {
    let options = ConsumerOptions::default().with_max_in_flight(10);
    let mut ledger = Ledger::new(Sequence::FIRST, Timestamp::from_nanos(0), options);
    ledger.begin_epoch();
    ledger
}

fn deliver(ledger: &mut Ledger, sequence: u64, group: Option<&str>) -> Option<Ticket> {
    match ledger.offer(Sequence::new(sequence), group.map(GroupKey::of)) {
        Offer::Deliver(pick) => Some(ledger.deliver(&[pick]).0[0].0),
        _ => None,
    }
}

#[test]
fn the_scan_stops_when_too_many_wait_for_their_group() {
    let mut ledger = ledger();
    let first = deliver(&mut ledger, 1, Some("a")).unwrap();
    let parked = PARKED_MAX as u64;
    for sequence in 2..2 + parked {
        assert_eq!(
            ledger.offer(Sequence::new(sequence), Some(GroupKey::of("a"))),
            Offer::Passed
        );
    }
    let next = Sequence::new(2 + parked);
    assert_eq!(ledger.offer(next, Some(GroupKey::of("a"))), Offer::Full);
    assert_eq!(ledger.cursor(), next);
    ledger.commit(&[first]).unwrap();
    assert_eq!(ledger.offer(next, Some(GroupKey::of("a"))), Offer::Passed);
    assert_eq!(ledger.due(5, None).picks.len(), 1);
}

#[test]
fn nothing_new_is_delivered_when_too_many_are_unsettled() {
    let mut ledger = ledger();
    for sequence in 1..=OPEN_MAX as u64 {
        let ticket = deliver(&mut ledger, sequence, None).unwrap();
        ledger.rollback(&[ticket], Duration::from_secs(1)).unwrap();
    }
    assert_eq!(
        ledger.offer(Sequence::new(OPEN_MAX as u64 + 1), None),
        Offer::Full
    );
}

#[test]
fn the_longest_summary_fits_a_record_and_tells_the_same_state() {
    let mut ledger = ledger();
    // Every other place is rolled back, each to another time, and those between are committed.
    let next = Sequence::new(2 * OPEN_MAX as u64);
    for sequence in 1..next.get() {
        let ticket = deliver(&mut ledger, sequence, None).unwrap();
        match sequence % 2 {
            0 => drop(ledger.commit(&[ticket]).unwrap()),
            _ => {
                let delay = Duration::from_nanos(1 << 40 | sequence);
                drop(ledger.rollback(&[ticket], delay).unwrap());
            }
        }
    }
    assert_eq!(ledger.delayed(), OPEN_MAX);
    assert_eq!(ledger.offer(next, None), Offer::Full);
    let summary = ledger.summary();
    let mut bytes = Vec::new();
    Entry::Summary(Box::new(summary.clone())).encode(1, &mut bytes);
    assert!(bytes.len() < RECORD_BYTES_MAX / 3, "{}", bytes.len());
    let (_, read) = Reader::new(&bytes).entry().unwrap();
    assert_eq!(read, Entry::Summary(Box::new(summary.clone())));
    assert_eq!(Ledger::from_summary(summary.clone()).summary(), summary);
}

#[test]
fn a_commit_with_one_stale_ticket_changes_nothing_and_names_it() {
    let mut ledger = ledger();
    let good = deliver(&mut ledger, 1, None).unwrap();
    let stale = deliver(&mut ledger, 2, None).unwrap();
    ledger.rollback(&[stale], Duration::ZERO).unwrap();
    let refused = ledger.commit(&[stale, good]).unwrap_err();
    assert_eq!(
        (refused.ticket, refused.reason),
        (stale, "it was rolled back")
    );
    assert_eq!(ledger.position(), Sequence::FIRST);
    ledger.commit(&[good, good]).unwrap();
    assert_eq!(ledger.position(), Sequence::new(2));
}

#[test]
fn a_committed_ticket_is_known_for_a_while() {
    let mut ledger = ledger();
    let mut all = Vec::new();
    for sequence in 1..=COMMITTED_RUNS_MAX as u64 * 4 {
        let ticket = deliver(&mut ledger, sequence, None).unwrap();
        all.push(ticket);
        // Every second one at once, so that no two of them are neighbours.
        if sequence % 2 == 0 {
            ledger.commit(&[ticket]).unwrap();
        }
        ledger.tick(Timestamp::from_nanos(0));
    }
    assert_eq!(ledger.commit(&[*all.last().unwrap()]), Ok(None));
    assert!(
        ledger
            .commit(&[all[1]])
            .unwrap_err()
            .reason
            .contains("long ago")
    );
}

#[test]
fn a_lease_ends_on_time_when_the_clock_is_set_back_and_at_once_when_it_jumps() {
    let at = |secs: i64| Timestamp::from_nanos(secs * 1_000_000_000);
    let mut ledger = ledger();
    ledger.tick(at(1000));
    deliver(&mut ledger, 1, None).unwrap();
    ledger.tick(at(1080));
    ledger.tick(at(0));
    assert_eq!((ledger.in_flight(), ledger.next_time()), (1, Some(at(10))));
    ledger.tick(at(10));
    assert_eq!(
        (ledger.in_flight(), ledger.due(5, None).picks.len()),
        (0, 1)
    );
    deliver(&mut ledger, 2, None).unwrap();
    ledger.tick(at(1_000_000));
    assert_eq!(ledger.due(5, None).picks.len(), 2);
}

#[test]
fn what_lies_past_a_shortened_topic_is_forgotten() {
    let mut ledger = ledger();
    let tickets: Vec<Ticket> = (1..=5)
        .map(|sequence| deliver(&mut ledger, sequence, None).unwrap())
        .collect();
    ledger.commit(&tickets[..2]).unwrap();
    ledger.cut(Sequence::new(1));
    assert_eq!(
        (ledger.position(), ledger.in_flight()),
        (Sequence::new(2), 0)
    );
    assert!(deliver(&mut ledger, 2, None).is_some());
}
