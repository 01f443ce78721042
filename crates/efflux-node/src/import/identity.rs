//! Ids for records that have none of their own.

use efflux_flow::particle::{Id, PayloadHash};

/// What the hash begins with, so that no other use of SHA-256 gives the same ids.
const DOMAIN: &[u8] = b"efflux import id 1\0";

/// The id of a record that has none: a UUID of version 8, derived from the source's name, the
/// record's number in it and its payload.
///
/// The same record at the same place of the same source always gets the same id, so importing a
/// file again adds nothing twice. A record that was changed gets another one.
#[must_use]
pub fn derived_id(source: &str, record: u64, payload: &[u8]) -> Id {
    let mut text = Vec::with_capacity(DOMAIN.len() + source.len() + 48);
    text.extend_from_slice(DOMAIN);
    text.extend_from_slice(&(source.len() as u64).to_le_bytes());
    text.extend_from_slice(source.as_bytes());
    text.extend_from_slice(&record.to_le_bytes());
    text.extend_from_slice(PayloadHash::of(payload).as_bytes());
    let hash = PayloadHash::of(&text);
    let mut uuid = [0; 16];
    for (byte, hashed) in uuid.iter_mut().zip(hash.as_bytes()) {
        *byte = *hashed;
    }
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut uuid;
    *version = (*version & 0x0f) | 0x80;
    *variant = (*variant & 0x3f) | 0x80;
    Id::from_uuid(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_source_number_and_payload() {
        let id = derived_id("/a", 1, b"x");
        assert_eq!(id, derived_id("/a", 1, b"x"));
        for other in [
            derived_id("/b", 1, b"x"),
            derived_id("/a", 2, b"x"),
            derived_id("/a", 1, b"y"),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn ids_stay_what_they_are_in_every_version() {
        let id = derived_id("/data/orders.ndjson", 7, b"{}").to_string();
        assert_eq!(id.as_bytes()[14], b'8', "version 8: {id}");
        assert_eq!(id, "80a0f46c-bcbc-871c-bd99-bbb9a130d45c");
    }
}
