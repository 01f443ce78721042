//! What is wrong with a file, and where.

use std::fmt;

/// Faults that are told at most: 100. Who mends these runs the check again.
pub(super) const FAULTS_MAX: usize = 100;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The line, from 1 on.
    pub line: usize,
    /// The character in the line, from 1 on.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
}

impl Fault {
    /// What is wrong at this byte of a text.
    #[must_use]
    pub fn at(text: &str, byte: usize, what: impl Into<String>) -> Self {
        let before = text.get(..text.floor_char_boundary(byte)).unwrap_or(text);
        let line_begin = before.rfind('\n').map_or(0, |end| end + 1);
        let column = before.get(line_begin..).unwrap_or_default().chars().count() + 1;
        Self {
            line: before.matches('\n').count() + 1,
            column,
            what: what.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, what } = self;
        write!(f, "line {line}, column {column}: {what}")
    }
}

/// The first faults of a text, of those at these bytes. Each takes a look at all that stands before it,
/// so that very many would take very long.
pub(super) fn first_of(text: &str, mut found: Vec<(usize, String)>) -> Vec<Fault> {
    found.sort_by_key(|(byte, _)| *byte);
    found.truncate(FAULTS_MAX);
    let faults = found.into_iter();
    let faults = faults.map(|(byte, what)| Fault::at(text, byte, what));
    faults.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let fault = Fault::at("a = \"é\" x", 8, "here");
        assert_eq!((fault.line, fault.column), (1, 8));
    }
}
