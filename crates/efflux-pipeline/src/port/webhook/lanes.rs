//! Which messages may be sent beside each other.

use std::collections::HashMap;

use crate::parcel::Parcel;

/// The messages' places in the batch: those of one message group together and in order, those
/// without a group alone.
pub(super) fn lanes(parcels: &[Parcel]) -> Vec<Vec<usize>> {
    let mut lanes: Vec<Vec<usize>> = Vec::new();
    let mut groups: HashMap<&str, usize> = HashMap::new();
    for (at, parcel) in parcels.iter().enumerate() {
        let Some(group) = parcel.message.message_group() else {
            lanes.push(vec![at]);
            continue;
        };
        let lane = *groups.entry(group).or_insert(lanes.len());
        match lanes.get_mut(lane) {
            Some(lane) => lane.push(at),
            None => lanes.push(vec![at]),
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::Message;

    #[test]
    fn messages_of_one_group_share_a_lane() {
        let message = |group: &str| match group {
            "" => Message::new("x"),
            group => Message::new("x").with_message_group(group),
        };
        let parcels: Vec<_> = ["a", "", "b", "a", "", "b"]
            .map(message)
            .map(Parcel::of_message)
            .into();
        assert_eq!(lanes(&parcels), [vec![0, 3], vec![1], vec![2, 5], vec![4]]);
    }
}
