//! Terms: what a particle of a run can be found by.
//!
//! ```text
//! term    kind  field  value
//! kind    0 the field is there    1 it has this value    2 its value is rare in the run
//! field   1 data_type   2 content_type   3 content_encoding   4 message_group
//!         5  length  name   the property of this name
//! value   for kind 1: as it is, up to 63 bytes; of a longer one the first 48 and a hash of 16
//! ```
//!
//! A property's name is at most 128 bytes long, so that its length takes one byte. Hashes are cut
//! SHA-256: two values have the same term only when they are the same.

use super::key;

/// Longest value that stands in a term as it is, in bytes.
const VALUE_BYTES_MAX: usize = 63;

/// Bytes of a longer value that stand before its hash.
pub(super) const CUT_BYTES: usize = 48;

/// What a term tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The field is there.
    Present,
    /// The field has this value.
    Is,
    /// The field's value is not a term of its own, because it is rare in the run.
    Uncommon,
}

impl Kind {
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Present => 0,
            Self::Is => 1,
            Self::Uncommon => 2,
        }
    }
}

/// A field that particles are found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    DataType,
    ContentType,
    ContentEncoding,
    MessageGroup,
    Property(&'a str),
}

impl Field<'_> {
    /// Adds the field to a term.
    pub(super) fn put(self, into: &mut Vec<u8>) {
        match self {
            Self::DataType => into.push(1),
            Self::ContentType => into.push(2),
            Self::ContentEncoding => into.push(3),
            Self::MessageGroup => into.push(GROUP),
            Self::Property(name) => {
                into.push(PROPERTY);
                into.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
                into.extend(name.bytes().take(usize::from(u8::MAX)));
            }
        }
    }
}

const GROUP: u8 = 4;
const PROPERTY: u8 = 5;

/// Adds a value to a term.
pub(super) fn put_value(into: &mut Vec<u8>, value: &[u8]) {
    if value.len() <= VALUE_BYTES_MAX {
        into.extend_from_slice(value);
        return;
    }
    into.extend(value.iter().take(CUT_BYTES));
    into.extend_from_slice(&key::hash(value));
}

/// The term of a field that is there, or whose value is rare.
pub(super) fn of_field(kind: Kind, field: Field<'_>) -> Vec<u8> {
    let mut term = vec![kind.byte()];
    field.put(&mut term);
    term
}

/// The term of a field that has this value.
pub(super) fn of_value(field: Field<'_>, value: &str) -> Vec<u8> {
    let mut term = of_field(Kind::Is, field);
    put_value(&mut term, value.as_bytes());
    term
}

/// The kind of a term, and the bytes of its field.
pub(super) fn read(term: &[u8]) -> Option<(Kind, &[u8])> {
    let (kind, rest) = term.split_first()?;
    let kind = [Kind::Present, Kind::Is, Kind::Uncommon]
        .into_iter()
        .find(|k| k.byte() == *kind)?;
    let bytes = match rest.first()? {
        &PROPERTY => 2 + usize::from(*rest.get(1)?),
        _ => 1,
    };
    Some((kind, rest.get(..bytes)?))
}

/// The group whose term this is: its text, or the hash of a longer one.
pub(super) fn read_group(term: &[u8]) -> Option<GroupText<'_>> {
    let value = term.strip_prefix(&[Kind::Is.byte(), GROUP])?;
    if value.len() <= VALUE_BYTES_MAX {
        return Some(GroupText::Whole(value));
    }
    let hash = value.get(CUT_BYTES..)?.try_into().ok()?;
    Some(GroupText::Hash(hash))
}

/// A group's text, or the hash of a longer one.
pub(super) enum GroupText<'a> {
    Whole(&'a [u8]),
    Hash([u8; key::HASH_BYTES]),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_tells_its_field() {
        for (field, bytes) in [(Field::DataType, 1), (Field::Property("name"), 6)] {
            let term = of_value(field, "value");
            let (kind, found) = read(&term).unwrap();
            assert_eq!((kind, found.len()), (Kind::Is, bytes));
            assert_eq!(&term[1 + bytes..], b"value");
        }
    }

    #[test]
    fn long_values_differ_by_their_hash() {
        let (a, b) = ("x".repeat(64), format!("{}y", "x".repeat(63)));
        let terms = [&a, &b].map(|value| of_value(Field::MessageGroup, value));
        assert_ne!(terms[0], terms[1]);
        assert_eq!(terms[0].len(), 2 + 64);
        assert!(matches!(read_group(&terms[0]), Some(GroupText::Hash(_))));
        assert_eq!(of_value(Field::MessageGroup, &"x".repeat(63)).len(), 2 + 63);
    }
}
