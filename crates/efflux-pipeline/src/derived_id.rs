//! Ids that follow from what something was made of.

use efflux_storage::particle::{Fingerprint, Id};

/// The id that follows from these parts: the same parts make the same id, in every process.
///
/// It is a UUID of version 8 (RFC 9562) from the SHA-256 of the parts, each with its length before
/// it, so that no two lists of parts look alike.
///
/// ```
/// use efflux_pipeline::derived_id;
///
/// assert_eq!(derived_id(&[b"orders.csv", b"7"]), derived_id(&[b"orders.csv", b"7"]));
/// assert_ne!(derived_id(&[b"ab", b"c"]), derived_id(&[b"a", b"bc"]));
/// ```
#[must_use]
pub fn derived_id(parts: &[&[u8]]) -> Id {
    let mut seed = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        seed.extend_from_slice(&(part.len() as u64).to_le_bytes());
        seed.extend_from_slice(part);
    }
    let hash = Fingerprint::of(&seed);
    let mut uuid = [0_u8; 16];
    uuid.iter_mut()
        .zip(hash.as_bytes())
        .enumerate()
        .for_each(|(at, (to, from))| {
            *to = match at {
                6 => (from & 0x0f) | 0x80,
                8 => (from & 0x3f) | 0x80,
                _ => *from,
            };
        });
    Id::from_uuid(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_a_uuid_of_version_8_that_never_changes() {
        let id = derived_id(&[b"a"]).to_string();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'8', "{id}");
        assert!(
            matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
            "{id}"
        );
        assert_eq!(id, derived_id(&[b"a"]).to_string());
    }
}
