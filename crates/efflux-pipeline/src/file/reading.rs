//! Reads a TOML file and tells all that is wrong with it, not only what comes first.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::expand::{Expanded, Surroundings, expand};
use super::fault::{Fault, first_of};
use super::filled::{Room, told};
use super::places::{byte_within, span_of};
use super::shape::{Mark, Shaped, shaped};
use crate::setting_fault::{Key, SettingFault};

/// A file that was read as far as it can be, and what is wrong with it: faults of its shape, and those
/// that whoever knows what the values mean adds.
pub struct Reading<'a, T> {
    text: &'a str,
    shaped: Shaped<'a, T>,
    expanded: Expanded,
    found: Vec<(usize, String)>,
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
    Reading::of(text, None, &Room::default())?.whole()
}

/// Reads a file, and fills in each `${NAME}`, `${NAME:-OTHERWISE}` and `${file:PATH}` in its texts
/// from its surroundings. It is filled in after the file was taken apart: what a variable holds never
/// becomes anything but text, or a number or truth value where one is asked for.
///
/// # Errors
/// As for [`read`], and each variable or file that is not there.
pub fn read_in<T: DeserializeOwned>(
    text: &str,
    around: &dyn Surroundings,
) -> Result<T, Vec<Fault>> {
    Reading::of(text, Some(around), &Room::default())?.whole()
}

impl<'a, T: DeserializeOwned> Reading<'a, T> {
    /// Reads a file, and fills in its texts where there are surroundings.
    ///
    /// # Errors
    /// The faults of the syntax. All others are found in what was read.
    pub fn of(
        text: &'a str,
        around: Option<&dyn Surroundings>,
        room: &'a Room,
    ) -> Result<Self, Vec<Fault>> {
        let (mut table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(first_of(text, places_of(&errors)));
        }
        let expanded = around.map(|around| expand(table.get_mut(), around));
        let expanded = expanded.unwrap_or_default();
        let shaped = shaped(table, room.scalars(&expanded.filled));
        let missing = expanded.missing.iter();
        let missing = missing.map(|(span, what)| (span.start, what.clone()));
        let of_shape = shaped.errors.iter().filter_map(|(span, what)| {
            let is_missing = expanded.missing.iter().any(|(missing, _)| missing == span);
            (!is_missing).then(|| (span.start, told(&expanded.filled, span, what)))
        });
        let found = missing.chain(of_shape).collect();
        Ok(Self {
            text,
            shaped,
            expanded,
            found,
        })
    }

    /// What could be read of the file; none when nothing could.
    #[must_use]
    pub const fn value(&self) -> Option<&T> {
        self.shaped.value.as_ref()
    }

    /// What could be read, in another shape.
    #[must_use]
    pub fn again<U: DeserializeOwned>(&self) -> Option<U> {
        U::deserialize(Deserializer::from(self.shaped.rest.clone())).ok()
    }

    /// Adds what is wrong with what could be read, unless it may follow from what could not.
    pub fn add(&mut self, fault: &SettingFault) {
        let table = self.shaped.rest.get_ref();
        let span = span_of(table, fault.path()).unwrap_or(0..0);
        let value = value_at(table, fault.path());
        let mut texts = Vec::new();
        match value {
            Some(value) => texts_of(value, &mut texts),
            None => texts.push(span.clone()),
        }
        let is_unknown = |span| self.expanded.missing.iter().any(|(it, _)| it == span);
        if texts.iter().any(is_unknown) || (fault.is_lack() && self.has_gap(fault.path())) {
            return;
        }
        // What a program's bytes are is not known where another text stands in the file.
        let is_filled = self.expanded.filled.iter().any(|it| it.span == span);
        let inner = fault.inner().filter(|_| !is_filled);
        let byte = byte_within(self.text, &span, inner);
        let places = texts.iter().fold(span, |all, text| {
            all.start.min(text.start)..all.end.max(text.end)
        });
        let what = told(&self.expanded.filled, &places, fault.what());
        self.found.push((byte, what));
    }

    /// Whether something that could not be read stands on the way to this place, or beneath it.
    #[must_use]
    pub fn has_gap(&self, path: &[Key]) -> bool {
        let trail = trail(self.shaped.rest.get_ref(), path);
        let mut gaps = self.shaped.gaps.iter();
        gaps.any(|gap| gap.starts_with(&trail) || trail.starts_with(gap))
    }

    /// The faults, if there are any.
    ///
    /// # Errors
    /// The faults, in the order of their places.
    pub fn check(&mut self) -> Result<(), Vec<Fault>> {
        match self.found.is_empty() {
            true => Ok(()),
            false => Err(first_of(self.text, std::mem::take(&mut self.found))),
        }
    }

    /// All that the file holds.
    ///
    /// # Errors
    /// The faults, in the order of their places.
    pub fn whole(self) -> Result<T, Vec<Fault>> {
        match self.shaped.value.filter(|_| self.found.is_empty()) {
            Some(value) => Ok(value),
            None => Err(first_of(self.text, self.found)),
        }
    }
}

/// What was read is not shown: secrets are among it.
impl<T> fmt::Debug for Reading<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

/// The value at the end of a path, or the last one that is there.
fn value_at<'a, 'b>(table: &'a DeTable<'b>, path: &[Key]) -> Option<&'a Spanned<DeValue<'b>>> {
    let (first, rest) = path.split_first()?;
    let Key::Name(name) = first else {
        return None;
    };
    let mut value = table.get(name.as_str())?;
    for key in rest {
        let inner = match (value.get_ref(), key) {
            (DeValue::Table(table), Key::Name(name)) => table.get(name.as_str()),
            (DeValue::Array(array), Key::At(at)) => array.get(*at),
            _ => None,
        };
        match inner {
            Some(inner) => value = inner,
            None => break,
        }
    }
    Some(value)
}

/// Where the texts within a value stand.
fn texts_of(value: &Spanned<DeValue<'_>>, into: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::String(_) => into.push(value.span()),
        DeValue::Table(table) => table.iter().for_each(|(_, value)| texts_of(value, into)),
        DeValue::Array(array) => array.iter().for_each(|value| texts_of(value, into)),
        _ => {}
    }
}

/// The way to a place, told so that elements are known when others are gone.
fn trail(table: &DeTable<'_>, path: &[Key]) -> Vec<Mark> {
    let steps = (1..=path.len()).map_while(|length| {
        let path = path.get(..length)?;
        match path.last()? {
            Key::Name(name) => Some(Mark::Name(name.clone())),
            Key::At(_) => Some(Mark::Element(value_at(table, path)?.span())),
        }
    });
    steps.collect()
}

/// The bytes of errors, and what is wrong there.
fn places_of(errors: &[Error]) -> Vec<(usize, String)> {
    let places = errors.iter().map(|error| {
        let start = error.span().map_or(0, |span| span.start);
        (start, error.message().to_owned())
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::fault::FAULTS_MAX;
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
}
