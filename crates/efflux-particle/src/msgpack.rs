//! The part of MessagePack that metadata is written in: maps, text, bytes and integers.
//!
//! The reader never allocates, never recurses deeper than a bound, and takes every width of integer
//! and length. Source: the MessagePack specification, <https://github.com/msgpack/msgpack/blob/master/spec.md>.

use crate::limits::UNKNOWN_VALUE_DEPTH_MAX;
use crate::term::{self, TermFault};

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
    /// How many bytes there were at the beginning.
    length: usize,
    rest: &'a [u8],
}

/// A text that was read. It is UTF-8.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) bytes: &'a [u8],
    /// Printable ASCII throughout.
    pub(crate) is_plain: bool,
}

impl Text<'_> {
    /// What is wrong with it as a term.
    pub(crate) fn fault(self, bytes_max: usize) -> Option<TermFault> {
        if self.is_plain && (1..=bytes_max).contains(&self.bytes.len()) {
            return None;
        }
        term::fault(self.as_str(), bytes_max)
    }
}

impl<'a> Text<'a> {
    pub(crate) fn as_str(self) -> &'a str {
        str::from_utf8(self.bytes).unwrap_or_default()
    }
}

type Read<T> = Result<T, Mismatch>;

#[expect(
    clippy::big_endian_bytes,
    reason = "MessagePack integers are big-endian"
)]
impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            length: bytes.len(),
            rest: bytes,
        }
    }

    pub(crate) const fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether the next value is bytes.
    pub(crate) const fn is_at_bin(&self) -> bool {
        matches!(self.rest.first(), Some(0xc4..=0xc6))
    }

    #[inline(always)]
    const fn mismatch<T>(&self, expected: &'static str) -> Read<T> {
        Err(Mismatch {
            at: self.position(),
            expected,
        })
    }

    #[inline(always)]
    fn take(&mut self, count: usize, expected: &'static str) -> Read<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return self.mismatch(expected);
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self, expected: &'static str) -> Read<[u8; N]> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return self.mismatch(expected);
        };
        self.rest = rest;
        Ok(*taken)
    }

    #[inline(always)]
    fn byte(&mut self, expected: &'static str) -> Read<u8> {
        Ok(u8::from_be_bytes(self.array(expected)?))
    }

    #[inline(always)]
    fn two(&mut self, expected: &'static str) -> Read<u16> {
        Ok(u16::from_be_bytes(self.array(expected)?))
    }

    #[inline(always)]
    fn four(&mut self, expected: &'static str) -> Read<u32> {
        Ok(u32::from_be_bytes(self.array(expected)?))
    }

    #[inline(always)]
    fn eight(&mut self, expected: &'static str) -> Read<u64> {
        Ok(u64::from_be_bytes(self.array(expected)?))
    }

    #[inline(always)]
    fn marker(&mut self, expected: &'static str) -> Read<u8> {
        self.byte(expected)
    }

    /// Refuses the value that begins at `start`.
    fn refuse<T>(start: usize, expected: &'static str) -> Read<T> {
        Err(Mismatch {
            at: start,
            expected,
        })
    }

    pub(crate) fn map(&mut self) -> Read<u64> {
        let start = self.position();
        match self.marker("a map")? {
            marker @ 0x80..=0x8f => Ok(u64::from(marker & 0x0f)),
            0xde => self.two("a map").map(u64::from),
            0xdf => self.four("a map").map(u64::from),
            _ => Self::refuse(start, "a map"),
        }
    }

    /// Passes over a short text when it is the next value, in its shortest form.
    #[inline(always)]
    pub(crate) fn pass(&mut self, text: &'static str) -> bool {
        let Some((marker, rest)) = self.rest.split_first() else {
            return false;
        };
        match rest.strip_prefix(text.as_bytes()) {
            Some(rest) if usize::from(*marker) == 0xa0 | text.len() => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    #[inline(always)]
    pub(crate) fn text(&mut self) -> Read<(Text<'a>, Span)> {
        let start = self.position();
        let length = match self.marker("text")? {
            marker @ 0xa0..=0xbf => u32::from(marker & 0x1f),
            0xd9 => self.byte("text")?.into(),
            0xda => self.two("text")?.into(),
            0xdb => self.four("text")?,
            _ => return Self::refuse(start, "text"),
        };
        let (bytes, span) = self.span(length, "text")?;
        let is_plain = term::is_plain(bytes);
        if !is_plain && str::from_utf8(bytes).is_err() {
            return Self::refuse(span.start as usize, "UTF-8 text");
        }
        Ok((Text { bytes, is_plain }, span))
    }

    #[inline(always)]
    pub(crate) fn bin(&mut self) -> Read<(&'a [u8], Span)> {
        let start = self.position();
        let length = match self.marker("bytes")? {
            0xc4 => self.byte("bytes")?.into(),
            0xc5 => self.two("bytes")?.into(),
            0xc6 => self.four("bytes")?,
            _ => return Self::refuse(start, "bytes"),
        };
        self.span(length, "bytes")
    }

    #[inline(always)]
    fn span(&mut self, length: u32, expected: &'static str) -> Read<(&'a [u8], Span)> {
        let start = self.position();
        let bytes = self.take(length as usize, expected)?;
        match (u32::try_from(start), u32::try_from(self.position())) {
            (Ok(start), Ok(end)) => Ok((bytes, Span { start, end })),
            _ => self.mismatch(expected),
        }
    }

    /// Inlined for the widest form, which all of this crate's numbers but one have.
    #[inline(always)]
    pub(crate) fn unsigned(&mut self) -> Read<u64> {
        if let Some((0xcf, rest)) = self.rest.split_first() {
            self.rest = rest;
            return self.eight("an unsigned integer");
        }
        self.unsigned_of_any_width()
    }

    fn unsigned_of_any_width(&mut self) -> Read<u64> {
        const WHAT: &str = "an unsigned integer";
        let (start, before) = (self.position(), self.rest);
        Ok(match self.marker(WHAT)? {
            marker @ 0x00..=0x7f => marker.into(),
            0xcc => self.byte(WHAT)?.into(),
            0xcd => self.two(WHAT)?.into(),
            0xce => self.four(WHAT)?.into(),
            0xcf => self.eight(WHAT)?,
            // Some writers in other languages use the signed kinds for every number.
            0xd0..=0xd3 => {
                self.rest = before;
                match u64::try_from(self.signed_of_any_width()?) {
                    Ok(number) => number,
                    Err(_) => return Self::refuse(start, WHAT),
                }
            }
            _ => return Self::refuse(start, WHAT),
        })
    }

    #[inline(always)]
    pub(crate) fn signed(&mut self) -> Read<i64> {
        if let Some(([0xcf, number @ ..], rest)) = self.rest.split_first_chunk::<9>()
            && let Ok(number) = i64::try_from(u64::from_be_bytes(*number))
        {
            self.rest = rest;
            return Ok(number);
        }
        self.signed_of_any_width()
    }

    fn signed_of_any_width(&mut self) -> Read<i64> {
        const WHAT: &str = "an integer";
        let (start, before) = (self.position(), self.rest);
        Ok(match self.marker(WHAT)? {
            marker @ 0xe0..=0xff => marker.cast_signed().into(),
            0xd0 => self.byte(WHAT)?.cast_signed().into(),
            0xd1 => self.two(WHAT)?.cast_signed().into(),
            0xd2 => self.four(WHAT)?.cast_signed().into(),
            0xd3 => self.eight(WHAT)?.cast_signed(),
            _ => {
                self.rest = before;
                match i64::try_from(self.unsigned_of_any_width()?) {
                    Ok(number) => number,
                    Err(_) => return Self::refuse(start, "an integer below 2^63"),
                }
            }
        })
    }

    /// Passes over one value of any kind.
    pub(crate) fn skip(&mut self) -> Read<()> {
        self.skip_nested(UNKNOWN_VALUE_DEPTH_MAX)
    }

    fn skip_nested(&mut self, depth: usize) -> Read<()> {
        const WHAT: &str = "a whole value";
        let start = self.position();
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
            0xc1 => return Self::refuse(start, "a value of a known kind"),
            0xc4 | 0xd9 => self.byte(WHAT)?.into(),
            0xc5 | 0xda => self.two(WHAT)?.into(),
            0xc6 | 0xdb => self.four(WHAT)?.into(),
            0xc7 => u64::from(self.byte(WHAT)?) + 1,
            0xc8 => u64::from(self.two(WHAT)?) + 1,
            0xc9 => u64::from(self.four(WHAT)?) + 1,
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
        match usize::try_from(bytes) {
            Ok(bytes) => self.take(bytes, WHAT).map(drop),
            Err(_) => self.mismatch(WHAT),
        }
    }

    /// How many values an array or map holds, none for a value of another kind.
    fn contained(&mut self, marker: u8, expected: &'static str) -> Read<Option<u64>> {
        Ok(Some(match marker {
            0x80..=0x8f => 2 * u64::from(marker & 0x0f),
            0x90..=0x9f => u64::from(marker & 0x0f),
            0xdc => self.two(expected)?.into(),
            0xdd => self.four(expected)?.into(),
            0xde => 2 * u64::from(self.two(expected)?),
            0xdf => 2 * u64::from(self.four(expected)?),
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
