//! What a table of a file holds, as far as it has the shape that is asked for.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};

use super::fault::FAULTS_MAX;
use super::filled::Scalar;

/// What a table holds, as far as it has the shape.
pub(super) struct Shaped<'a, T> {
    /// What is left of the table as a value; none when even that has not the shape.
    pub(super) value: Option<T>,
    /// What is wrong with the shape, and where.
    pub(super) errors: Vec<(Range<usize>, String)>,
    /// What is left of the table when all is taken out that is wrong.
    pub(super) rest: Spanned<DeTable<'a>>,
    /// The ways to what was taken out.
    pub(super) gaps: Vec<Vec<Mark>>,
}

/// One step on the way to a value of which others may be gone: an element is known by where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Name(String),
    Element(Range<usize>),
}

/// Reads what a table holds. What is wrong is taken out of it, and the rest is read again.
/// Where a number or truth value is asked for, what a variable holds is read as one.
pub(super) fn shaped<'a, T: DeserializeOwned>(
    table: Spanned<DeTable<'a>>,
    scalars: &'a [Scalar],
) -> Shaped<'a, T> {
    let (mut rest, mut errors) = (table, Vec::new());
    let mut removed: Vec<Removed> = Vec::new();
    let value = loop {
        let error = match T::deserialize(Deserializer::from(rest.clone())) {
            Ok(read) => break Some(read),
            Err(error) => error,
        };
        let span = error.span().unwrap_or_default();
        if error.message().starts_with("invalid type: string ")
            && put_scalar(rest.get_mut(), &span, scalars)
        {
            continue;
        }
        if !removed.iter().any(|gone| gone.explains(&error, &span)) {
            let place = key_named(rest.get_ref(), &span, error.message());
            errors.push((place.unwrap_or(span.clone()), error.message().to_owned()));
        }
        let within = rest.span();
        let found = take_out(rest.get_mut(), &within, &span);
        match found.filter(|_| errors.len() < FAULTS_MAX) {
            Some(gone) => removed.push(gone),
            None => break None,
        }
    };
    Shaped {
        value,
        errors,
        rest,
        gaps: removed.into_iter().map(|gone| gone.trail).collect(),
    }
}

/// Where the key stands that a fault of a table names: `unknown variant` tells only the table.
fn key_named(table: &DeTable<'_>, at: &Range<usize>, what: &str) -> Option<Range<usize>> {
    let named = what.strip_prefix("unknown variant `")?;
    let (name, _) = named.split_once('`')?;
    table.iter().find_map(|(_, value)| key_in(value, at, name))
}

fn key_in(value: &Spanned<DeValue<'_>>, at: &Range<usize>, name: &str) -> Option<Range<usize>> {
    match value.get_ref() {
        DeValue::Table(table) => {
            let own = table.get_key_value(name).filter(|_| value.span() == *at);
            let own = own.map(|(key, _)| key.span());
            own.or_else(|| table.iter().find_map(|(_, value)| key_in(value, at, name)))
        }
        DeValue::Array(array) => array.iter().find_map(|value| key_in(value, at, name)),
        _ => None,
    }
}

/// Puts a number or truth value in the place of the text that a variable holds, if it is one.
fn put_scalar<'a>(table: &mut DeTable<'a>, at: &Range<usize>, scalars: &'a [Scalar]) -> bool {
    let Some(scalar) = scalars.iter().find(|it| it.span == *at) else {
        return false;
    };
    let read = DeValue::parse(&scalar.text).map(Spanned::into_inner);
    match read {
        Ok(value @ (DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_))) => {
            let mut value = Some(value);
            table
                .iter_mut()
                .any(|(_, within)| put_value(within, at, &mut value))
        }
        _ => false,
    }
}

fn put_value<'a>(
    within: &mut Spanned<DeValue<'a>>,
    at: &Range<usize>,
    value: &mut Option<DeValue<'a>>,
) -> bool {
    let is_here = within.span() == *at;
    match within.get_mut() {
        text @ DeValue::String(_) if is_here => value.take().map(|value| *text = value).is_some(),
        DeValue::Table(table) => table
            .iter_mut()
            .any(|(_, inner)| put_value(inner, at, value)),
        DeValue::Array(array) => array.iter_mut().any(|inner| put_value(inner, at, value)),
        _ => false,
    }
}

/// A key that was taken out of the table at this place.
struct Removed {
    within: Range<usize>,
    key: String,
    /// The way to it.
    trail: Vec<Mark>,
}

impl Removed {
    /// Whether the fault is only that this key is not there any more.
    fn explains(&self, error: &Error, span: &Range<usize>) -> bool {
        let missing = format!("missing field `{}`", self.key);
        error.message() == missing && (*span == self.within || span.is_empty())
    }

    /// The same, seen from one step further out.
    fn beneath(mut self, mark: Mark) -> Self {
        self.trail.insert(0, mark);
        self
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
    let mark = Mark::Name(key.get_ref().to_string());
    if let Some(inner) = inner.filter(|_| !is_emptied) {
        return Some(inner.beneath(mark));
    }
    table.remove(&key);
    Some(Removed {
        within: within.clone(),
        key: key.get_ref().to_string(),
        trail: vec![mark],
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
    let mark = Mark::Element(span.clone());
    if let Some(inner) = inner.filter(|_| !is_emptied) {
        return Some(inner.beneath(mark));
    }
    let kept = array
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != place);
    *array = kept.map(|(_, value)| value.clone()).collect();
    Some(Removed {
        within: span,
        key: String::new(),
        trail: vec![mark],
    })
}

fn holds(span: &Range<usize>, at: &Range<usize>) -> bool {
    !at.is_empty() && span.start <= at.start && at.end <= span.end
}

/// A table from which the last key was taken: it is often a choice, which cannot do without one.
fn is_empty_table(value: &Spanned<DeValue<'_>>) -> bool {
    matches!(value.get_ref(), DeValue::Table(table) if table.is_empty())
}
