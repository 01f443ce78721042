//! The rule for short texts that are found by: ids, data types, groups, names of properties.

/// What is wrong with a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TermFault {
    /// It is empty or too long.
    Length,
    /// It holds a control character, which would break lines and terminals.
    Control { at: usize },
}

/// Holds `text` against the rule: 1 to `bytes_max` bytes, no control character.
///
/// Writers and readers ask this one function, so that whatever can be read can be written again.
pub(crate) fn fault(text: &str, bytes_max: usize) -> Option<TermFault> {
    if text.is_empty() || text.len() > bytes_max {
        return Some(TermFault::Length);
    }
    if is_plain(text.as_bytes()) {
        return None;
    }
    let control = text.char_indices().find(|(_, c)| c.is_control());
    control.map(|(at, _)| TermFault::Control { at })
}

/// Whether all bytes are printable ASCII, so that they are UTF-8 and hold no control character.
///
/// Almost every term is; eight bytes at a time are looked at, because each particle that is written
/// or read has a handful of terms.
#[inline(always)]
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    if let Some(last) = bytes.last_chunk::<8>() {
        let odd = |eight: &[u8; 8]| odd_bytes(u64::from_le_bytes(*eight));
        let whole = bytes.as_chunks::<8>().0.iter();
        return whole.fold(odd(last), |found, eight| found | odd(eight)) == 0;
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return odd_bytes(u64::from(first) << 32 | u64::from(last)) == 0;
    }
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Not 0 when one of these eight bytes is outside of printable ASCII, 0x20 to 0x7e.
const fn odd_bytes(eight: u64) -> u64 {
    const ONE_EACH: u64 = u64::MAX / 255;
    const HIGH_BITS: u64 = 0x80 * ONE_EACH;
    // Only bytes from 0x80 on carry into the next one, and they are odd whatever it says.
    let past_tilde = eight.wrapping_add(ONE_EACH);
    let from_space_on = eight.wrapping_add(0x60 * ONE_EACH);
    (eight | past_tilde | !from_space_on) & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_plain_when_each_of_them_is() {
        for length in 0..40 {
            let text = vec![b'a'; length];
            assert!(is_plain(&text), "{length}");
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = text.clone();
                    text[at] = byte;
                    let expected = (b' '..=b'~').contains(&byte);
                    assert_eq!(is_plain(&text), expected, "{byte} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn the_bounds_belong_to_the_rule() {
        assert_eq!(fault("", 3), Some(TermFault::Length));
        assert_eq!(fault("a", 3), None);
        assert_eq!(fault("abc", 3), None);
        assert_eq!(fault("abcd", 3), Some(TermFault::Length));
        assert_eq!(fault("éé", 3), Some(TermFault::Length));
    }

    #[test]
    fn control_characters_of_both_blocks_are_found() {
        assert_eq!(fault("a\0", 9), Some(TermFault::Control { at: 1 }));
        assert_eq!(fault("é\u{7f}", 9), Some(TermFault::Control { at: 2 }));
        assert_eq!(fault("\u{85}", 9), Some(TermFault::Control { at: 0 }));
        assert_eq!(fault("schlüssel \u{a0}", 99), None);
    }
}
