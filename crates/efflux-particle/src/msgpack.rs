//! The part of MessagePack that metadata is written in: maps, text, bytes and integers.
//!
//! The reader never allocates, never recurses deeper than a bound, and takes every width of integer
//! and length. Source: the MessagePack specification, <https://github.com/msgpack/msgpack/blob/master/spec.md>.

use crate::limits::UNKNOWN_VALUE_DEPTH_MAX;

/// Where a value stands in the bytes that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    pub(crate) fn text(self, bytes: &[u8]) -> &str {
        str::from_utf8(self.of(bytes)).unwrap_or_default()
    }
}

/// What the reader found where it expected something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) at: usize,
    pub(crate) expected: &'static str,
}

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Read<T> = Result<T, Mismatch>;

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Whether the next value is bytes.
    pub(crate) fn is_at_bin(&self) -> bool {
        matches!(self.bytes.get(self.at), Some(0xc4..=0xc6))
    }

    const fn mismatch<T>(&self, expected: &'static str) -> Read<T> {
        Err(Mismatch {
            at: self.at,
            expected,
        })
    }

    fn take(&mut self, count: usize, expected: &'static str) -> Read<&'a [u8]> {
        let taken = self
            .at
            .checked_add(count)
            .and_then(|end| self.bytes.get(self.at..end));
        let Some(taken) = taken else {
            return self.mismatch(expected);
        };
        self.at += count;
        Ok(taken)
    }

    fn number(&mut self, width: usize, expected: &'static str) -> Read<u64> {
        let taken = self.take(width, expected)?;
        Ok(taken
            .iter()
            .fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn marker(&mut self, expected: &'static str) -> Read<u8> {
        match self.bytes.get(self.at) {
            Some(marker) => {
                self.at += 1;
                Ok(*marker)
            }
            None => self.mismatch(expected),
        }
    }

    fn refuse<T>(&mut self, expected: &'static str) -> Read<T> {
        self.at = self.at.saturating_sub(1);
        self.mismatch(expected)
    }

    pub(crate) fn map(&mut self) -> Read<u64> {
        match self.marker("a map")? {
            marker @ 0x80..=0x8f => Ok(u64::from(marker & 0x0f)),
            0xde => self.number(2, "a map"),
            0xdf => self.number(4, "a map"),
            _ => self.refuse("a map"),
        }
    }

    pub(crate) fn text(&mut self) -> Read<(&'a str, Span)> {
        let length = match self.marker("text")? {
            marker @ 0xa0..=0xbf => u64::from(marker & 0x1f),
            0xd9 => self.number(1, "text")?,
            0xda => self.number(2, "text")?,
            0xdb => self.number(4, "text")?,
            _ => return self.refuse("text"),
        };
        let (bytes, span) = self.span(length, "text")?;
        match str::from_utf8(bytes) {
            Ok(text) => Ok((text, span)),
            Err(_) => Err(Mismatch {
                at: span.start as usize,
                expected: "UTF-8 text",
            }),
        }
    }

    pub(crate) fn bin(&mut self) -> Read<(&'a [u8], Span)> {
        let length = match self.marker("bytes")? {
            0xc4 => self.number(1, "bytes")?,
            0xc5 => self.number(2, "bytes")?,
            0xc6 => self.number(4, "bytes")?,
            _ => return self.refuse("bytes"),
        };
        self.span(length, "bytes")
    }

    fn span(&mut self, length: u64, expected: &'static str) -> Read<(&'a [u8], Span)> {
        let start = self.at;
        let Ok(length) = usize::try_from(length) else {
            return self.mismatch(expected);
        };
        let bytes = self.take(length, expected)?;
        match (u32::try_from(start), u32::try_from(self.at)) {
            (Ok(start), Ok(end)) => Ok((bytes, Span { start, end })),
            _ => self.mismatch(expected),
        }
    }

    pub(crate) fn unsigned(&mut self) -> Read<u64> {
        let start = self.at;
        match self.marker("an unsigned integer")? {
            marker @ 0x00..=0x7f => Ok(u64::from(marker)),
            0xcc => self.number(1, "an unsigned integer"),
            0xcd => self.number(2, "an unsigned integer"),
            0xce => self.number(4, "an unsigned integer"),
            0xcf => self.number(8, "an unsigned integer"),
            // Some writers in other languages use the signed kinds for every number.
            0xd0..=0xd3 => {
                self.at = start;
                u64::try_from(self.signed()?).map_err(|_| Mismatch {
                    at: start,
                    expected: "an unsigned integer",
                })
            }
            _ => self.refuse("an unsigned integer"),
        }
    }

    pub(crate) fn signed(&mut self) -> Read<i64> {
        let start = self.at;
        let number = match self.marker("an integer")? {
            marker @ 0xe0..=0xff => i64::from(marker.cast_signed()),
            0xd0 => i64::from(self.number(1, "an integer")?.to_le_bytes()[0].cast_signed()),
            0xd1 => self.number(2, "an integer")?.cast_signed() << 48 >> 48,
            0xd2 => self.number(4, "an integer")?.cast_signed() << 32 >> 32,
            0xd3 => self.number(8, "an integer")?.cast_signed(),
            _ => {
                self.at = start;
                let number = self.unsigned()?;
                return i64::try_from(number).map_err(|_| Mismatch {
                    at: start,
                    expected: "an integer below 2^63",
                });
            }
        };
        Ok(number)
    }

    /// Passes over one value of any kind.
    pub(crate) fn skip(&mut self) -> Read<()> {
        self.skip_nested(UNKNOWN_VALUE_DEPTH_MAX)
    }

    fn skip_nested(&mut self, depth: usize) -> Read<()> {
        const WHAT: &str = "a whole value";
        let marker = self.marker(WHAT)?;
        if let Some(values) = self.contained(marker, WHAT)? {
            if depth == 0 {
                return self.mismatch("fewer nested levels");
            }
            for _ in 0..values {
                self.skip_nested(depth - 1)?;
            }
            return Ok(());
        }
        let bytes = match marker {
            0xa0..=0xbf => u64::from(marker & 0x1f),
            0xc1 => return self.refuse("a value of a known kind"),
            0xc4 | 0xd9 => self.number(1, WHAT)?,
            0xc5 | 0xda => self.number(2, WHAT)?,
            0xc6 | 0xdb => self.number(4, WHAT)?,
            0xc7 => self.number(1, WHAT)? + 1,
            0xc8 => self.number(2, WHAT)? + 1,
            0xc9 => self.number(4, WHAT)? + 1,
            0xcc | 0xd0 => 1,
            0xcd | 0xd1 | 0xd4 => 2,
            0xd5 => 3,
            0xca | 0xce | 0xd2 => 4,
            0xd6 => 5,
            0xcb | 0xcf | 0xd3 => 8,
            0xd7 => 9,
            0xd8 => 17,
            // Small integers, nil, false and true are their marker.
            _ => 0,
        };
        self.span(bytes, WHAT)?;
        Ok(())
    }

    /// How many values an array or map holds, none for a value of another kind.
    fn contained(&mut self, marker: u8, expected: &'static str) -> Read<Option<u64>> {
        Ok(Some(match marker {
            0x80..=0x8f => 2 * u64::from(marker & 0x0f),
            0x90..=0x9f => u64::from(marker & 0x0f),
            0xdc => self.number(2, expected)?,
            0xdd => self.number(4, expected)?,
            0xde => 2 * self.number(2, expected)?,
            0xdf => 2 * self.number(4, expected)?,
            _ => return Ok(None),
        }))
    }
}

/// Appends MessagePack values to a buffer, each in its shortest form unless its name says otherwise.
pub(crate) struct Writer<'a> {
    pub(crate) buffer: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn number(&mut self, number: u64, width: usize) {
        for byte in number.to_le_bytes().iter().take(width).rev() {
            self.buffer.push(*byte);
        }
    }

    fn headed(&mut self, marker: u8, number: u64, width: usize) {
        self.buffer.push(marker);
        self.number(number, width);
    }

    pub(crate) fn map(&mut self, entries: usize) {
        match u64::try_from(entries).unwrap_or(u64::MAX) {
            #[expect(clippy::cast_possible_truncation, reason = "the pattern bounds it")]
            entries @ 0..=15 => self.buffer.push(0x80 | entries as u8),
            entries @ 16..=0xffff => self.headed(0xde, entries, 2),
            entries => self.headed(0xdf, entries, 4),
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        match u64::try_from(text.len()).unwrap_or(u64::MAX) {
            #[expect(clippy::cast_possible_truncation, reason = "the pattern bounds it")]
            length @ 0..=31 => self.buffer.push(0xa0 | length as u8),
            length @ 32..=0xff => self.headed(0xd9, length, 1),
            length @ 0x100..=0xffff => self.headed(0xda, length, 2),
            length => self.headed(0xdb, length, 4),
        }
        self.buffer.extend_from_slice(text.as_bytes());
    }

    /// Writes at most 255 bytes; ids and hashes are shorter.
    pub(crate) fn short_bin(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() <= 255, "longer bytes need another marker");
        self.headed(0xc4, u64::try_from(bytes.len()).unwrap_or(0), 1);
        self.buffer.extend_from_slice(bytes);
    }

    pub(crate) fn small(&mut self, number: u8) {
        debug_assert!(number < 128, "a larger number needs a marker");
        self.buffer.push(number);
    }

    /// Writes all 8 bytes, so that the number can be put in later.
    pub(crate) fn full_u64(&mut self, number: u64) {
        self.headed(0xcf, number, 8);
    }

    /// Writes all 4 bytes, so that the number can be put in later.
    pub(crate) fn full_u32(&mut self, number: u32) {
        self.headed(0xce, u64::from(number), 4);
    }

    pub(crate) fn nanos(&mut self, nanos: i64) {
        self.headed(
            if nanos < 0 { 0xd3 } else { 0xcf },
            nanos.cast_unsigned(),
            8,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_of_integer_is_read() {
        for (bytes, number) in [
            (&[0x05][..], 5),
            (&[0xcc, 0xff], 255),
            (&[0xcd, 0x01, 0x00], 256),
            (&[0xce, 0, 1, 0, 0], 65_536),
            (&[0xff], -1),
            (&[0xd0, 0x80], -128),
            (&[0xd1, 0xff, 0x7f], -129),
            (&[0xd2, 0xff, 0xff, 0x7f, 0xff], -32_769),
            (&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], i64::MIN),
            (
                &[0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                i64::MAX,
            ),
        ] {
            assert_eq!(Reader::new(bytes).signed(), Ok(number), "{bytes:02x?}");
        }
        assert!(
            Reader::new(&[0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0])
                .signed()
                .is_err()
        );
    }

    #[test]
    fn an_unsigned_integer_may_be_written_in_a_signed_kind() {
        for (bytes, number) in [
            (&[0x7f][..], Some(127)),
            (&[0xd0, 0x7f], Some(127)),
            (&[0xd1, 0x7f, 0xff], Some(32_767)),
            (&[0xd2, 0x7f, 0xff, 0xff, 0xff], Some(0x7fff_ffff)),
            (&[0xd3, 0, 0, 0, 0, 0, 0, 0, 1], Some(1)),
            (&[0xcf, 0xff, 0, 0, 0, 0, 0, 0, 0], Some(0xff << 56)),
            (&[0xff], None),
            (&[0xd0, 0x80], None),
            (&[0xd3, 0xff, 0, 0, 0, 0, 0, 0, 0], None),
            (&[0xd3, 0], None),
        ] {
            assert_eq!(Reader::new(bytes).unsigned().ok(), number, "{bytes:02x?}");
        }
    }

    #[test]
    fn eight_nested_levels_are_passed_over_and_nine_are_not() {
        let nested = |levels: usize| [vec![0x91; levels - 1], vec![0x90]].concat();
        assert_eq!(Reader::new(&nested(8)).skip(), Ok(()));
        assert!(Reader::new(&nested(9)).skip().is_err());
    }

    #[test]
    fn a_deeply_nested_value_is_refused_without_recursing() {
        let bytes = [0x91; 100_000];
        let error = Reader::new(&bytes).skip().unwrap_err();
        assert_eq!(error.expected, "fewer nested levels");
    }

    #[test]
    fn a_length_beyond_the_bytes_is_refused() {
        for bytes in [
            &[0xdb, 0xff, 0xff, 0xff, 0xff][..],
            &[0xdf, 0xff, 0xff, 0xff, 0xff],
            &[0xc4],
        ] {
            assert!(Reader::new(bytes).skip().is_err(), "{bytes:02x?}");
        }
    }
}
