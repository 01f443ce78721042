//! Where the values of a file stand in its text.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Fault;
use crate::setting_fault::Key;

/// Where the values of a text stand.
#[derive(Debug)]
pub struct Places<'a> {
    text: &'a str,
    table: Spanned<DeTable<'a>>,
}

impl<'a> Places<'a> {
    /// The places in this text.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let (table, _) = DeTable::parse_recoverable(text);
        Self { text, table }
    }

    /// The byte of the value at the end of a path, as far as the path is there.
    ///
    /// With `inner`, it is that byte of the text that the value is; where the text is written with
    /// escapes, it may be a few characters off.
    #[must_use]
    pub fn byte(&self, path: &[Key], inner: Option<usize>) -> usize {
        let span = span_of(self.table.get_ref(), path).unwrap_or(0..0);
        byte_within(self.text, &span, inner)
    }
}

/// The byte where a value begins, or one of the text that it is.
pub(super) fn byte_within(text: &str, span: &Range<usize>, inner: Option<usize>) -> usize {
    inner.map_or(span.start, |inner| {
        let value = text.get(span.clone()).unwrap_or_default();
        let quotes = ["'''\n", "\"\"\"\n", "'''", "\"\"\"", "'", "\""];
        let quote = quotes.iter().find(|quote| value.starts_with(**quote));
        (span.start + quote.map_or(0, |quote| quote.len()) + inner).min(span.end)
    })
}

/// Says what is wrong with the value at the end of a path: see [`Places::byte`].
pub fn fault_at(text: &str, path: &[Key], inner: Option<usize>, what: impl Into<String>) -> Fault {
    Fault::at(text, Places::of(text).byte(path, inner), what)
}

/// Where the value at the end of a path stands, as far as the path is there.
pub(super) fn span_of(table: &DeTable<'_>, path: &[Key]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let Key::Name(name) = first else {
        return None;
    };
    let (key, value) = table.get_key_value(name.as_str())?;
    // A table with a header of its own begins with the header; its key tells the place as well.
    let within = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::Table(_) if rest.is_empty() => Some(key.span()),
        _ => span_in(value, rest),
    };
    Some(within(value).unwrap_or_else(|| key.span()))
}

fn span_in(value: &Spanned<DeValue<'_>>, path: &[Key]) -> Option<Range<usize>> {
    let Some((first, rest)) = path.split_first() else {
        return Some(value.span());
    };
    match (value.get_ref(), first) {
        (DeValue::Table(table), Key::Name(_)) => span_of(table, path),
        (DeValue::Array(array), Key::At(at)) => {
            let element = array.get(*at)?;
            Some(span_in(element, rest).unwrap_or_else(|| element.span()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[pipeline.a]\nsteps = [\n  { filter = 'x = 1' },\n  { jq = '''\n.a |\n  b''' },\n]\n\
                        [pipeline.a.on_error]\nattempts = 0\n";

    fn place(path: &[Key], inner: Option<usize>) -> (usize, usize) {
        let fault = fault_at(TEXT, path, inner, "wrong");
        (fault.line, fault.column)
    }

    #[test]
    fn values_are_found_by_their_path() {
        let of = |path: &[Key]| {
            let mut whole = vec!["pipeline".into(), "a".into()];
            whole.extend_from_slice(path);
            whole
        };
        assert_eq!(
            place(&of(&["steps".into(), 0.into(), "filter".into()]), None),
            (3, 14)
        );
        assert_eq!(
            place(&of(&["steps".into(), 0.into(), "filter".into()]), Some(4)),
            (3, 19)
        );
        assert_eq!(
            place(&of(&["steps".into(), 1.into(), "jq".into()]), Some(5)),
            (6, 1)
        );
        assert_eq!(
            place(&of(&["on_error".into(), "attempts".into()]), None),
            (9, 12)
        );
        assert_eq!(
            place(&of(&["steps".into(), 1.into(), "none".into()]), None),
            (4, 3)
        );
    }

    #[test]
    fn a_path_that_leads_nowhere_is_told_as_far_as_it_goes() {
        assert_eq!(place(&["none".into()], None), (1, 1));
        assert_eq!(place(&["pipeline".into(), "b".into()], None).0, 1);
    }
}
