//! Why a text is no query, shown with the place.

use std::error::Error;
use std::fmt;

use super::notation::is_unseen;

/// Widest part of a query's line that is shown, in columns: it fits a terminal.
const COLUMNS_MAX: usize = 100;

/// Longest piece of a query that is repeated in a message, in characters.
const EXCERPT_CHARS_MAX: usize = 40;

/// Why a text is no query.
///
/// Displayed, it says in one line what is wrong and what to do, then shows the line of the query
/// with a caret under the place.
///
/// ```
/// use efflux_storage::Query;
///
/// let error = "typ = paid".parse::<Query>().unwrap_err();
/// assert_eq!(error.at, 0);
/// assert!(error.message.contains("did you mean `type`?"));
/// assert!(error.to_string().ends_with("\n  typ = paid\n  ^"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// What is wrong and what to do, in one line.
    pub message: String,
    /// The byte in `text` where it is wrong.
    pub at: usize,
    /// The text that was read; its beginning when it is longer than a query may be.
    pub text: String,
}

impl Error for QueryError {}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.text.floor_char_boundary(self.at);
        let (before, after) = self.text.split_at_checked(at).unwrap_or_default();
        let line_before = before.rsplit('\n').next().unwrap_or_default();
        let line_after = after.split('\n').next().unwrap_or_default();
        let gutter = if self.text.trim_end().contains('\n') {
            format!("{} | ", before.split('\n').count())
        } else {
            "  ".to_owned()
        };
        let (left, column) = tail(line_before, COLUMNS_MAX / 2);
        let right = start(line_after, COLUMNS_MAX - column);
        write!(f, "{}\n{gutter}{left}{right}\n", self.message)?;
        let gutter = gutter.replace(|c: char| c.is_ascii_digit(), " ");
        write!(f, "{gutter}{:column$}^", "")
    }
}

/// What is wrong with a text, before the text itself is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    message: String,
    at: usize,
}

impl Fault {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            at,
        }
    }

    pub(super) fn in_text(self, text: &str) -> QueryError {
        QueryError {
            message: self.message,
            at: self.at,
            text: text.to_owned(),
        }
    }
}

/// A piece of a query as it is repeated in a message: in one line and not too long.
pub(super) fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(EXCERPT_CHARS_MAX).map(visible).collect();
    if text.chars().nth(EXCERPT_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// The end of `line` that is at most `columns_max` wide, and how wide it is.
fn tail(line: &str, columns_max: usize) -> (String, usize) {
    let mut columns = 0;
    let mut kept: Vec<char> = Vec::new();
    for c in line.chars().rev().map(visible) {
        if columns + width(c) > columns_max {
            kept.push('…');
            columns += 1;
            break;
        }
        columns += width(c);
        kept.push(c);
    }
    (kept.into_iter().rev().collect(), columns)
}

/// The start of `line` that is at most `columns_max` wide.
fn start(line: &str, columns_max: usize) -> String {
    let mut columns = 0;
    let mut kept = String::new();
    for c in line.trim_end().chars().map(visible) {
        if columns + width(c) > columns_max {
            kept.push('…');
            break;
        }
        columns += width(c);
        kept.push(c);
    }
    kept
}

/// What stands for a character so that a line stays one line and a terminal is not steered.
fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if is_unseen(c) => '\u{fffd}',
        c => c,
    }
}

/// How many columns a terminal gives a character: close enough to put a caret.
const fn width(c: char) -> usize {
    match c as u32 {
        0x0300..=0x036f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1_f300..=0x1_faff
        | 0x2_0000..=0x3_fffd => 2,
        _ => 1,
    }
}
