//! A batch in parts, so that messages of one group are delivered one after the other.

use std::collections::{HashMap, HashSet};

use crate::parcel::Parcel;
use crate::port::Failed;
use crate::port::shortfall::shortfall;
use crate::stage_error::StageError;

/// What happened to a batch so far.
#[derive(Default)]
pub(super) struct Outcome<'a> {
    failed: Vec<(usize, StageError)>,
    /// Groups of which a message may be delivered later: what is behind it waits.
    groups: HashSet<&'a str>,
}

impl<'a> Outcome<'a> {
    pub(super) fn add(&mut self, place: usize, parcel: &'a Parcel, error: StageError) {
        if error.is_retryable() {
            self.groups.extend(parcel.message.message_group());
        }
        self.failed.push((place, error));
    }

    /// Whether a message may be delivered: not when one before it of its group comes later.
    pub(super) fn lets(&mut self, place: usize, parcel: &'a Parcel) -> bool {
        let group = parcel.message.message_group();
        let waits = group.is_some_and(|group| self.groups.contains(group));
        if waits {
            let error = "a message before it of the same message group was not delivered";
            self.failed.push((place, StageError::untried(error)));
        }
        !waits
    }

    /// What is told of a batch of so many messages.
    pub(super) fn into_result(self, of: usize) -> Result<(), Failed> {
        shortfall(self.failed, of)
    }
}

/// Cuts a batch so that each part has at most one message of a message group.
pub(super) fn rounds(parcels: &[Parcel]) -> Vec<Vec<(usize, &Parcel)>> {
    let mut of_group: HashMap<&str, usize> = HashMap::new();
    let mut rounds: Vec<Vec<(usize, &Parcel)>> = Vec::new();
    for (place, parcel) in parcels.iter().enumerate() {
        let round = parcel.message.message_group().map_or(0, |group| {
            let next = of_group.entry(group).or_default();
            *next += 1;
            *next - 1
        });
        match rounds.get_mut(round) {
            Some(found) => found.push((place, parcel)),
            None => rounds.push(vec![(place, parcel)]),
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::Message;

    fn in_group(group: &str) -> Parcel {
        Parcel::of_message(Message::new("x").with_message_group(group))
    }

    #[test]
    fn what_is_rejected_holds_up_nobody_and_what_comes_later_holds_up_its_group() {
        let parcels = ["a", "a", "b", "b", "c"].map(in_group);
        let mut outcome = Outcome::default();
        outcome.add(0, &parcels[0], StageError::rejected("no queue"));
        assert!(outcome.lets(1, &parcels[1]));
        outcome.add(2, &parcels[2], StageError::unavailable("full"));
        assert!(!outcome.lets(3, &parcels[3]));
        assert!(outcome.lets(4, &parcels[4]));
        let Err(Failed::Parts(parts)) = outcome.into_result(5) else {
            panic!("two were delivered");
        };
        let told: Vec<_> = parts
            .iter()
            .map(|(place, error)| (*place, error.kind(), error.is_untried()))
            .collect();
        let expect = [
            (0, "rejected", false),
            (2, "unavailable", false),
            (3, "unavailable", true),
        ];
        assert_eq!(told, expect);
    }

    #[test]
    fn a_broker_that_takes_nothing_is_away() {
        let parcels = ["a", "a", "b"].map(in_group);
        let mut outcome = Outcome::default();
        outcome.add(0, &parcels[0], StageError::unavailable("full"));
        outcome.add(2, &parcels[2], StageError::unavailable("full"));
        assert!(!outcome.lets(1, &parcels[1]));
        let told = outcome.into_result(3).unwrap_err();
        assert!(
            matches!(&told, Failed::Whole(error) if error.is_retryable()),
            "{told:?}"
        );
    }

    #[test]
    fn each_round_has_one_message_of_a_group_at_most() {
        let parcel = |group: &str| {
            let message = Message::new("x");
            Parcel::of_message(match group {
                "" => message,
                group => message.with_message_group(group),
            })
        };
        let parcels: Vec<_> = ["a", "", "b", "a", "", "a"].map(parcel).into();
        let places: Vec<Vec<usize>> = rounds(&parcels)
            .into_iter()
            .map(|round| round.into_iter().map(|(place, _)| place).collect())
            .collect();
        assert_eq!(places, [vec![0, 1, 2, 4], vec![3], vec![5]]);
    }
}
