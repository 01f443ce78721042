//! Ids for records that have none of their own.

use efflux_flow::particle::{Id, PayloadHash};

/// What the hash begins with, so that no other use of SHA-256 gives the same ids.
const DOMAIN: &[u8] = b"efflux import id 1\0";

/// The id of a record that has none: a UUID of version 8, derived from the source's name, the
/// record's number in it and its payload.
///
/// The same record at the same place of the same source always gets the same id, so importing a
/// file again adds nothing twice. A record that was changed gets another one.
///
/// ```text
/// bits    48                48..52   52..64 64..66   66..
/// 32 of the hash of the     version  the number's    50 of the hash of source, number and
/// source, 16 of the number  8        next bits       payload
/// ```
///
/// The 40 bits of the number are split by the version and the variant, which stand where every
/// UUID has them. Ids of one source thus ascend with its records: they come to stand side by side
/// in the index, where ids without any order would cost a search across all of it for each record.
#[must_use]
pub fn derived_id(source: &str, record: u64, payload: &[u8]) -> Id {
    let mut text = Vec::with_capacity(DOMAIN.len() + source.len() + 48);
    text.extend_from_slice(DOMAIN);
    text.extend_from_slice(source.as_bytes());
    let of_source = leading_bits(&text, 32);
    // A hash has a fixed length, so no two triples give the same text.
    text.extend_from_slice(&record.to_le_bytes());
    text.extend_from_slice(PayloadHash::of(payload).as_bytes());
    let of_all = leading_bits(&text, 50);
    let number = u128::from(record) & ((1 << 40) - 1);
    let bits = of_source << 90 | number << 50 | of_all;
    let (front, middle, back) = (bits >> 74, bits >> 62 & 0xfff, bits & ((1 << 62) - 1));
    let uuid = front << 80 | 8 << 76 | middle << 64 | 2 << 62 | back;
    #[expect(clippy::big_endian_bytes, reason = "UUIDs are big-endian")]
    Id::from_uuid(uuid.to_be_bytes())
}

/// The first bits of the SHA-256 of a text, at most 64 of them.
fn leading_bits(text: &[u8], count: u32) -> u128 {
    let hash = PayloadHash::of(text);
    let first = hash.as_bytes().iter().take(8);
    first.fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte)) >> (64 - count)
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
    fn ids_of_a_source_ascend_with_its_records() {
        let ids: Vec<String> = [1, 2, 3, 4095, 4096, 1 << 30, (1 << 40) - 1]
            .map(|record| derived_id("/a", record, b"x").to_string())
            .to_vec();
        assert!(ids.is_sorted(), "{ids:?}");
    }

    #[test]
    fn ids_stay_what_they_are_in_every_version() {
        let id = derived_id("/data/orders.ndjson", 7, b"{}").to_string();
        assert_eq!(id.as_bytes()[14], b'8', "version 8: {id}");
        assert_eq!(id, "2ba8faa6-0000-8000-801e-e9f42555268a");
    }
}
