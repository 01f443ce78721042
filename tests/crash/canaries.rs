//! A crash test that passes without the guards tests nothing: each guard is taken away in turn.

use efflux_node::storage::conformance::Guard;

use crate::case;
use crate::commits::last_commit_is_watched;
use crate::consumers;
use crate::every::block_on;
use crate::faults::second_writer_is_refused;
use crate::random::first_failure;
use crate::rot::last_batch_is_watched;

const CASES: u64 = 500;

/// What the crash tests say about a store that has all guards but this one.
fn complaint(guard: Guard) -> Option<String> {
    match guard {
        Guard::Lock => block_on(second_writer_is_refused(Some(guard))).err(),
        Guard::Head => block_on(last_batch_is_watched(Some(guard))).err(),
        _ => first_failure(1, CASES, |seed| case::run(seed, Some(guard)))
            .map(|(seed, problem)| format!("seed {seed}: {problem}")),
    }
}

#[test]
fn the_crash_tests_fail_without_any_one_guard() {
    for guard in Guard::ALL {
        let complaint = complaint(guard);
        let complaint = complaint.unwrap_or_else(|| panic!("nobody misses {guard:?}"));
        let first = complaint.lines().next().unwrap_or_default();
        println!("without {guard:?}: {first}");
    }
}

/// What the tests of consumers say when this guard is missing in what is kept of consumers.
fn complaint_of_consumers(guard: Guard) -> Option<String> {
    match guard {
        Guard::Head => block_on(last_commit_is_watched(Some(guard))).err(),
        _ => first_failure(1, CASES, |seed| {
            block_on(consumers::live(seed, Some(guard)))
        })
        .map(|(seed, problem)| format!("seed {seed}: {problem}")),
    }
}

#[test]
fn the_tests_of_consumers_fail_without_any_one_guard() {
    for guard in Guard::ALL.into_iter().filter(|guard| *guard != Guard::Lock) {
        let complaint = complaint_of_consumers(guard);
        let complaint = complaint.unwrap_or_else(|| panic!("no consumer misses {guard:?}"));
        println!("consumers without {guard:?}: {complaint}");
    }
}

#[test]
fn the_crash_tests_pass_with_all_guards() {
    assert_eq!(first_failure(1, 50, |seed| case::run(seed, None)), None);
    assert_eq!(block_on(second_writer_is_refused(None)), Ok(()));
    assert_eq!(block_on(last_batch_is_watched(None)), Ok(()));
}
