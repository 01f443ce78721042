//! What every backend must do, as checks that each backend's tests run.
//!
//! A check is an async function that takes a [`Fixture`] and says in its name what must hold.
//! [`conformance_suite!`](crate::conformance_suite) makes a test of each of them:
//!
//! ```
//! use efflux_storage::conformance::MemoryFixture;
//!
//! efflux_storage::conformance_suite!(memory, (MemoryFixture, ()));
//! ```
//!
//! The simulated disk and its faults are here as well, for crash tests.

mod fixture;
mod sample;

pub mod appending;
pub mod expecting;
pub mod finding;
pub mod following;
pub mod ids;
pub mod journals;
pub mod racing;
pub mod readers;
pub mod reading;
pub mod topics;

pub use self::fixture::{FileFixture, Fixture, MemoryFixture};
pub use crate::disk::sim::{Guard, Random, SimDisk, Without};

/// Makes a module of this name with one test for each check of the suite.
///
/// The second argument is an expression that gives a fixture of its own to each test, and whatever
/// must live as long as that, such as a temporary folder. With `hosted` before the name, it is a
/// backend whose consumers another process keeps, which has no journals to be checked.
#[macro_export]
macro_rules! conformance_suite {
    (hosted $backend:ident, $fixture:expr) => {
        mod $backend {
            use super::*;

            $crate::conformance_suite! { @shared $fixture }
        }
    };
    ($backend:ident, $fixture:expr) => {
        mod $backend {
            use super::*;

            $crate::conformance_suite! { @shared $fixture }
            $crate::conformance_suite! { @tests $fixture;
                journals:
                    records_come_back_in_order,
                    a_replaced_journal_holds_one_record,
                    a_deleted_journal_is_empty,
                    concurrent_records_are_all_kept;
            }
        }
    };
    (@shared $fixture:expr) => {
            $crate::conformance_suite! { @tests $fixture;
                appending:
                    a_new_topic_holds_its_root,
                    sequences_are_gapless_and_links_hold,
                    a_batch_stands_together,
                    an_empty_batch_changes_nothing,
                    a_message_over_a_bound_is_refused_with_its_whole_batch,
                    what_was_acknowledged_is_there_after_reopening,
                    a_closed_store_refuses_appends,
                    verifying_counts_everything;
                ids:
                    the_same_message_gets_its_first_place_again,
                    the_same_id_with_another_payload_is_a_conflict,
                    a_batch_adds_what_is_new_in_it,
                    the_same_message_twice_in_a_batch_is_added_once,
                    a_conflict_within_a_batch_changes_nothing,
                    ids_are_known_after_reopening;
                expecting:
                    an_empty_topic_is_empty_once,
                    the_head_is_the_last_particle,
                    the_last_of_a_group_is_known,
                    no_match_after_a_place,
                    a_failed_expectation_changes_nothing,
                    what_is_there_already_is_answered_whatever_is_expected,
                    expectations_hold_over_reopening;
                racing:
                    waiting_threads_and_tasks_append_side_by_side,
                    each_callers_particles_keep_their_order,
                    one_of_many_with_the_same_expectation_wins,
                    one_message_appended_by_many_is_added_once,
                    a_counter_kept_by_expectations_never_slips,
                    verifying_beside_appends_finds_nothing_wrong;
                reading:
                    reads_keep_every_limit,
                    reads_backwards_keep_every_limit,
                    reading_past_the_head_is_empty,
                    frames_are_those_of_the_particles,
                    frames_keep_every_limit,
                    an_audit_gives_what_reading_gives,
                    an_audit_refuses_what_does_not_follow_from_its_head,
                    particles_are_read_by_place_and_by_id,
                    the_log_reads_the_places_asked_for;
                following:
                    a_follower_sees_each_particle_once_in_order,
                    a_follower_that_was_cancelled_misses_nothing,
                    waiting_ends_with_the_next_particle,
                    waiting_ends_when_the_topic_is_closed;
                finding:
                    finding_is_scanning,
                    finding_is_scanning_after_reopening;
                topics:
                    topics_are_listed_in_order,
                    options_are_kept,
                    options_out_of_bounds_are_refused,
                    names_that_could_leave_the_store_are_refused,
                    a_taken_name_is_a_conflict,
                    an_unknown_topic_is_not_found,
                    a_deleted_topic_is_gone_and_its_name_is_free;
                readers:
                    a_reader_sees_what_is_appended_and_changes_nothing,
                    a_second_writer_is_told_who_holds_the_store;
            }
    };
    (@tests $fixture:expr; $($module:ident: $($check:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread")]
            async fn $check() {
                let (fixture, _kept) = $fixture;
                let checked = $crate::conformance::$module::$check(&fixture).await;
                assert!(checked.is_ok(), "{checked:?}");
            }
        )+)+
    };
}
