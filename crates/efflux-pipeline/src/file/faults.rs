//! Reads a TOML file and tells all that is wrong with its shape, not only what comes first.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};

use super::expand::{Surroundings, expand};

/// Faults that are told at most: 100. Who mends these runs the check again.
const FAULTS_MAX: usize = 100;

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

/// Reads a file.
///
/// # Errors
/// All faults, in the order of their places: those of the syntax; when there are none, those of the
/// shape, such as unknown keys, values of the wrong type and what is missing. What is missing beside
/// a value that is wrong may be told only when that one is mended.
///
/// # Examples
/// ```
/// #[derive(Debug, serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Settings {
///     port: u16,
///     name: String,
/// }
///
/// let text = "name = \"a\"\nport = \"x\"\nprt = 1\n";
/// let faults = efflux_pipeline::file::read::<Settings>(text).unwrap_err();
/// let lines: Vec<_> = faults.iter().map(|fault| fault.line).collect();
/// assert_eq!(lines, [2, 3]); // the port is no number, and there is no `prt`
/// ```
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(first_of(text, places_of(&errors)));
    }
    shaped(table).map_err(|found| first_of(text, found))
}

/// Reads a file, and fills in each `${NAME}`, `${NAME:-OTHERWISE}` and `${file:PATH}` in its texts
/// from its surroundings. It is filled in after the file was taken apart: what a variable holds never
/// becomes anything but text.
///
/// # Errors
/// As for [`read`], and each variable or file that is not there.
pub fn read_in<T: DeserializeOwned>(
    text: &str,
    around: &dyn Surroundings,
) -> Result<T, Vec<Fault>> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(first_of(text, places_of(&errors)));
    }
    let mut found = Vec::new();
    expand(table.get_mut(), around, &mut found);
    let read = shaped(table);
    match read {
        Ok(read) if found.is_empty() => return Ok(read),
        read => found.extend(read.err().unwrap_or_default()),
    }
    Err(first_of(text, found))
}

/// The first faults of a text, of those at these bytes. Each takes a look at all that stands before it,
/// so that very many would take very long.
pub(crate) fn first_of(text: &str, mut found: Vec<(usize, String)>) -> Vec<Fault> {
    found.sort_by_key(|(byte, _)| *byte);
    found.truncate(FAULTS_MAX);
    let faults = found.into_iter();
    let faults = faults.map(|(byte, what)| Fault::at(text, byte, what));
    faults.collect()
}

/// What the table holds, if it has that shape everywhere.
fn shaped<T: DeserializeOwned>(table: Spanned<DeTable<'_>>) -> Result<T, Vec<(usize, String)>> {
    let (mut rest, mut errors) = (table, Vec::new());
    let mut removed = Vec::new();
    // What is wrong is taken out of the file, and the rest is read again.
    loop {
        let error = match T::deserialize(Deserializer::from(rest.clone())) {
            Ok(read) if errors.is_empty() => return Ok(read),
            Ok(_) => return Err(places_of(&errors)),
            Err(error) => error,
        };
        let span = error.span().unwrap_or_default();
        let is_gone = removed
            .iter()
            .any(|gone: &Removed| gone.explains(&error, &span));
        if !is_gone {
            errors.push(error);
        }
        let within = rest.span();
        let found = take_out(rest.get_mut(), &within, &span);
        let may_go_on = errors.len() < FAULTS_MAX;
        match found.filter(|_| may_go_on) {
            Some(gone) => removed.push(gone),
            None => return Err(places_of(&errors)),
        }
    }
}

/// The bytes of errors, and what is wrong there.
fn places_of(errors: &[Error]) -> Vec<(usize, String)> {
    let places = errors.iter().map(|error| {
        let start = error.span().map_or(0, |span| span.start);
        (start, error.message().to_owned())
    });
    places.collect()
}

/// A key that was taken out of the table at this place.
struct Removed {
    within: Range<usize>,
    key: String,
}

impl Removed {
    /// Whether the fault is only that this key is not there any more.
    fn explains(&self, error: &Error, span: &Range<usize>) -> bool {
        let missing = format!("missing field `{}`", self.key);
        error.message() == missing && (*span == self.within || span.is_empty())
    }
}

/// Takes the smallest part out of a table that holds this place; none when it is in no part. The
/// span of a table that has a header is its header's, so each part is looked into.
fn take_out(table: &mut DeTable<'_>, within: &Range<usize>, at: &Range<usize>) -> Option<Removed> {
    let found = table.iter_mut().find_map(|(key, value)| {
        let inner = take_out_of_value(value, at);
        let is_here = inner.is_some() || holds(&value.span(), at) || holds(&key.span(), at);
        is_here.then(|| (key.clone(), inner))
    });
    let (key, inner) = found?;
    let is_emptied = table.get(&key).is_some_and(is_empty_table);
    if let Some(inner) = inner.filter(|_| !is_emptied) {
        return Some(inner);
    }
    table.remove(&key);
    Some(Removed {
        within: within.clone(),
        key: key.get_ref().to_string(),
    })
}

fn take_out_of_value(value: &mut Spanned<DeValue<'_>>, at: &Range<usize>) -> Option<Removed> {
    let span = value.span();
    match value.get_mut() {
        DeValue::Table(table) => take_out(table, &span, at),
        DeValue::Array(array) => take_out_of_array(array, at),
        _ => None,
    }
}

fn take_out_of_array(array: &mut DeArray<'_>, at: &Range<usize>) -> Option<Removed> {
    let found = array.iter_mut().enumerate().find_map(|(place, value)| {
        let inner = take_out_of_value(value, at);
        let is_here = inner.is_some() || holds(&value.span(), at);
        is_here.then(|| (place, is_empty_table(value), value.span(), inner))
    });
    let (place, is_emptied, span, inner) = found?;
    if let Some(inner) = inner.filter(|_| !is_emptied) {
        return Some(inner);
    }
    let kept = array
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != place);
    *array = kept.map(|(_, value)| value.clone()).collect();
    Some(Removed {
        within: span,
        key: String::new(),
    })
}

fn holds(span: &Range<usize>, at: &Range<usize>) -> bool {
    !at.is_empty() && span.start <= at.start && at.end <= span.end
}

/// A table from which the last key was taken: it is often a choice, which cannot do without one.
fn is_empty_table(value: &Spanned<DeValue<'_>>) -> bool {
    matches!(value.get_ref(), DeValue::Table(table) if table.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        name: String,
        #[serde(default)]
        steps: Vec<Step>,
        #[serde(default)]
        limits: Limits,
        tls: Option<Tls>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    enum Step {
        Filter(String),
        Batch { count: u32, time: u32 },
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Limits {
        bytes: Option<u64>,
        count: Option<u64>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Tls {
        cert: String,
        key: String,
    }

    fn told(text: &str) -> Vec<String> {
        let faults = read::<Shape>(text).unwrap_err();
        faults.iter().map(ToString::to_string).collect()
    }

    fn assert_told(text: &str, expected: &[&str]) {
        let told = told(text);
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told} is not {expected}");
        }
    }

    #[test]
    fn what_is_right_is_read() {
        let text =
            "name = \"a\"\nsteps = [{ filter = \"x\" }, { batch = { count = 1, time = 2 } }]\n";
        let shape: Shape = read(text).unwrap();
        assert_eq!((shape.name.as_str(), shape.steps.len()), ("a", 2));
    }

    #[test]
    fn every_fault_of_the_shape_is_told_with_its_place() {
        let text = "name = 1\nnam = 2\nsteps = [\n  { filter = 3 },\n  { filtr = \"x\" },\n  \
                    { batch = { count = 1, tim = 2 } },\n  { filter = \"right\" },\n]\n\
                    [limits]\nbytes = \"1\"\ncount = -1\nother = 4\n[tls]\ncert = \"c\"\n";
        assert_told(
            text,
            &[
                "line 1, column 8: invalid type: integer `1`, expected a string",
                "line 2, column 1: unknown field `nam`",
                "line 4, column 14: invalid type: integer `3`",
                "line 5, column 5: unknown variant `filtr`",
                "line 6, column 13: missing field `time`",
                "line 6, column 26: unexpected keys in table: tim",
                "line 10, column 9: invalid type: string \"1\"",
                "line 11, column 9: invalid value: integer `-1`",
                "line 12, column 1: unknown field `other`",
                "line 13, column 1: missing field `key`",
            ],
        );
    }

    #[test]
    fn every_fault_of_the_syntax_is_told() {
        let told = told("name = \nsteps = [1,\n[limits\n");
        assert!(told.len() >= 2, "{told:?}");
        assert!(told[0].starts_with("line 1, column 8"), "{told:?}");
    }

    #[test]
    fn what_is_missing_at_the_top_is_told_too() {
        assert_told("", &["line 1, column 1: missing field `name`"]);
        let told = told("nam = 1\n");
        assert!(
            told.iter().any(|it| it.contains("missing field `name`")),
            "{told:?}"
        );
        assert!(
            told.iter().any(|it| it.contains("unknown field `nam`")),
            "{told:?}"
        );
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn faults_without_end_are_told_up_to_a_bound() {
        let text: String = (0..1000).map(|number| format!("a{number} = 1\n")).collect();
        assert_eq!(told(&text).len(), FAULTS_MAX);
    }

    #[test]
    fn columns_count_characters() {
        let fault = Fault::at("a = \"é\" x", 8, "here");
        assert_eq!((fault.line, fault.column), (1, 8));
    }
}
