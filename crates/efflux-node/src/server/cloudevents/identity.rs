//! Which particle an event is.

use efflux_flow::particle::Id;
use efflux_flow::particle::limits::ID_BYTES_MAX;
use sha2::{Digest, Sha256};

use crate::server::extract::parsed;
use crate::server::refusal::Answer;

/// Between source and id.
const BETWEEN: char = '#';

/// The id of the particle that is the event with this source and id: `SOURCE#ID`, or a hash of both
/// where that would be too long, or where it could be another event's.
pub(super) fn particle_id(source: &str, id: &str) -> Answer<Id> {
    // An id may be as long as a particle's, and holds no control character.
    let _: Id = parsed("id", id)?;
    let plain = format!("{source}{BETWEEN}{id}");
    let is_plain = plain.len() <= ID_BYTES_MAX && !id.contains(BETWEEN);
    if is_plain && let Ok(id) = plain.parse() {
        return Ok(id);
    }
    let mut hash = Sha256::new();
    hash.update((source.len() as u64).to_le_bytes());
    hash.update(source);
    hash.update(id);
    let digits: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    parsed("id", &format!("sha256:{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_with_another_source_or_id_are_other_particles() {
        let long = "s".repeat(300);
        let mut all: Vec<_> = [
            ("/shop", "7"),
            ("/shop", "8"),
            ("/store", "7"),
            ("/shop#7", "8"),
            ("/shop", "7#8"),
            ("/a#b", "c"),
            ("/a", "b#c"),
            (&long, "7"),
            (&long, "8"),
            ("a\u{1}", "7"),
        ]
        .iter()
        .map(|(source, id)| particle_id(source, id).unwrap().to_string())
        .collect();
        assert_eq!(all[0], "/shop#7");
        assert!(all[7].starts_with("sha256:"), "{}", all[7]);
        assert_eq!(particle_id(&long, "7").unwrap().to_string(), all[7]);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 10);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for id in ["", "a\nb", &"i".repeat(256)] {
            assert!(particle_id("/shop", id).is_err(), "{id:?}");
        }
    }
}
