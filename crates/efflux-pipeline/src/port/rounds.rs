//! A batch in parts, so that messages of one group are delivered one after the other.

use std::collections::{HashMap, HashSet};

use crate::parcel::Parcel;
use crate::port::Failed;
use crate::stage_error::StageError;

/// What happened to a batch so far.
#[derive(Default)]
pub(super) struct Outcome<'a> {
    failed: Vec<(usize, StageError)>,
    /// Groups of which a message was not delivered.
    groups: HashSet<&'a str>,
}

impl<'a> Outcome<'a> {
    pub(super) fn add(&mut self, place: usize, parcel: &'a Parcel, error: StageError) {
        self.failed.push((place, error));
        self.groups.extend(parcel.message.message_group());
    }

    /// Whether a message may be delivered: not when one before it of its group was not.
    pub(super) fn lets(&mut self, place: usize, parcel: &'a Parcel) -> bool {
        let group = parcel.message.message_group();
        let waits = group.is_some_and(|group| self.groups.contains(group));
        if waits {
            let error = "a message before it of the same message group was not delivered";
            self.failed.push((place, StageError::unavailable(error)));
        }
        !waits
    }

    pub(super) fn into_result(mut self) -> Result<(), Failed> {
        if self.failed.is_empty() {
            return Ok(());
        }
        self.failed.sort_by_key(|(place, _)| *place);
        Err(Failed::Parts(self.failed))
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
