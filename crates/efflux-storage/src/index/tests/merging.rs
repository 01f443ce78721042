//! Runs that are merged, and what is left of those they were made of.

use std::ops::ControlFlow;

use efflux_particle::Sequence;

use super::damage::{check, copy};
use super::log::TestLog;
use super::sample::orders;
use super::{Fixture, folder};
use crate::table::Space;

/// Runs that are merged at a time.
const RUNS: u64 = 16;

/// Particles of a run with more keys than are replaced in one batch.
const PARTICLES: u64 = 4200;

fn keys(it: &Fixture) -> usize {
    let (table, _) = it.topic.shared.table().unwrap();
    let mut count = 0;
    let visit = &mut |_: &[u8], _: &[u8]| {
        count += 1;
        ControlFlow::Continue(())
    };
    table.scan(Space::Runs, &[], &[0xff; 30], visit).unwrap();
    count
}

#[tokio::test]
async fn what_a_run_was_merged_of_goes() {
    let it = Fixture::over(TestLog::new("orders", 1), None);
    for run in 0..RUNS {
        it.log.push(orders(run * PARTICLES, PARTICLES));
        it.catch_up().await;
    }
    let at_once = Fixture::over(it.log.clone(), None);
    at_once.catch_up().await;
    // Written as two runs: they have more keys of their own than one has.
    assert_eq!(at_once.runs(), 2);
    while keys(&it) > keys(&at_once) {
        tokio::task::yield_now().await;
    }
    assert_eq!(it.runs(), 1);
    for particle in it.log.all() {
        assert_eq!(it.topic.id(&particle.id()).unwrap(), [particle.sequence()]);
    }
}

#[tokio::test]
async fn a_folder_taken_while_runs_are_merged_gives_no_wrong_answer() {
    let (_folder, path) = folder();
    let (_other, taken) = folder();
    let log = TestLog::new("orders", 1);
    let it = Fixture::over(log.clone(), Some(&path));
    for run in 0..RUNS {
        log.push(orders(run * PARTICLES, PARTICLES));
        it.catch_up().await;
    }
    // Merging goes on while the folder is taken, now here, now there.
    for _ in 0..8 {
        copy(&path, &taken);
        check(&log, &taken).await;
        let again = Fixture::over(log.clone(), Some(&taken));
        again.topic.wait_through(Sequence::ROOT).await.unwrap();
        again.catch_up().await;
        again.index.close();
        check(&log, &taken).await;
    }
}
