//! Numbers in as few bytes as they need: seven bits a byte, the lowest first.

/// Adds a number.
pub(super) fn put(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    into.push(number.to_le_bytes()[0]);
}

/// Adds a number that may be negative: small ones of both signs take few bytes.
pub(super) fn put_signed(into: &mut Vec<u8>, number: i64) {
    put(
        into,
        (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned(),
    );
}

/// Takes a number from the front; none when there is no whole one.
pub(super) fn take(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Takes a number that may be negative.
pub(super) fn take_signed(from: &mut &[u8]) -> Option<i64> {
    let number = take(from)?;
    Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

/// Takes a number that fits 32 bits.
pub(super) fn take_u32(from: &mut &[u8]) -> Option<u32> {
    take(from)?.try_into().ok()
}

/// Takes that many bytes.
pub(super) fn take_bytes<'a>(from: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (bytes, rest) = from.split_at_checked(count)?;
    *from = rest;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back() {
        for number in [0, 1, 127, 128, 300, 65_535, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            put_signed(&mut bytes, number.cast_signed());
            let mut from = bytes.as_slice();
            assert_eq!(take(&mut from), Some(number));
            assert_eq!(take_signed(&mut from), Some(number.cast_signed()));
            assert_eq!(take(&mut from), None);
        }
    }

    #[test]
    fn endless_numbers_are_refused() {
        assert_eq!(take(&mut [0xff; 20].as_slice()), None);
    }
}
