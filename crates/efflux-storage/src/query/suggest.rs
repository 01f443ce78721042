//! Says which fields there are, and which one was probably meant.

use super::error::shortened;
use super::notation::is_bare;

/// The names that stand for a field by themselves, aliases among them.
const NAMES: [&str; 10] = [
    "id",
    "sequence",
    "timestamp",
    "created",
    "data_type",
    "type",
    "content_type",
    "content_encoding",
    "message_group",
    "group",
];

const FIELDS: &str = "id, sequence, timestamp, created, data_type (or type), content_type, \
                      content_encoding, message_group (or group), properties.NAME and data.PATH";

/// Most single changes of letters between what was written and what is suggested.
const CHANGES_MAX: usize = 2;

/// Longest word in characters that is compared at all: no field's name is as long.
const WORD_CHARS_MAX: usize = 32;

/// The message for a word that names no field.
pub(super) fn unknown_field(word: &str) -> String {
    if word == "properties" || word == "data" {
        let part = if word == "data" { "PATH" } else { "NAME" };
        return format!("`{word}` is no field by itself: write {word}.{part}");
    }
    let shown = shortened(word);
    let tip = match nearest(word) {
        Some(field) => format!("did you mean `{field}`?"),
        None if word.starts_with(|first: char| first.is_ascii_digit()) => {
            "a comparison begins with its field.".to_owned()
        }
        None if word.split('.').all(is_bare) => {
            format!("if it is a property, write properties.{shown}.")
        }
        None => format!("if it is a property, write properties.\"{shown}\"."),
    };
    format!("unknown field `{shown}`: {tip} The fields are {FIELDS}")
}

fn nearest(word: &str) -> Option<String> {
    let (first, rest) = word.split_once('.').unwrap_or((word, ""));
    if first.chars().count() > WORD_CHARS_MAX {
        return None;
    }
    let first = first.to_lowercase();
    if !rest.is_empty() {
        let changed = |field| changes(&first, field) <= CHANGES_MAX;
        return if changed("properties") || first.starts_with("prop") {
            Some(format!("properties.{}", shortened(rest)))
        } else if changed("data") || first == "payload" {
            Some(format!("data.{}", shortened(rest)))
        } else {
            None
        };
    }
    // A change of every other letter is no slip any more.
    let most = CHANGES_MAX.min(first.chars().count() / 2);
    NAMES
        .iter()
        .map(|name| (changes(&first, name), name))
        .filter(|(changes, _)| *changes <= most)
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, name)| (*name).to_owned())
}

/// How many letters must be put in, left out or replaced to turn one word into the other.
fn changes(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (done, left) in from.chars().enumerate() {
        let mut diagonal = done;
        let mut last = done + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(to.chars()) {
            let replaced = diagonal + usize::from(left != right);
            diagonal = *cell;
            last = replaced.min(last + 1).min(*cell + 1);
            *cell = last;
        }
        if let Some(first) = row.first_mut() {
            *first = done + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("tpye", "type", 2),
            ("grösse", "groesse", 2),
        ] {
            assert_eq!(changes(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn the_nearest_field_is_suggested() {
        for (word, expected) in [
            ("Type", Some("type")),
            ("datatype", Some("data_type")),
            ("timestmap", Some("timestamp")),
            ("seqence", Some("sequence")),
            ("props.customer", Some("properties.customer")),
            ("propertis.customer", Some("properties.customer")),
            ("payload.total", Some("data.total")),
            ("customer", None),
            ("x", None),
            ("elephant.total", None),
        ] {
            assert_eq!(nearest(word).as_deref(), expected, "{word}");
        }
    }
}
