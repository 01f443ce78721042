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
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return None;
    }
    let control = text.char_indices().find(|(_, c)| c.is_control());
    control.map(|(at, _)| TermFault::Control { at })
}

#[cfg(test)]
mod tests {
    use super::*;

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
