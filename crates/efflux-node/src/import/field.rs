//! Fields of records, named by their paths.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

use super::limits::PATH_STEPS_MAX;

/// The path to a field of a record: `customer`, `properties.mag`, or as a JSON pointer
/// `/properties/mag`, which may also name keys that have dots in them.
///
/// - 1 to 32 steps
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldPath {
    text: String,
    steps: Vec<String>,
}

/// A text that is no path to a field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} names no field: {reason}")]
pub struct FieldError {
    text: String,
    reason: &'static str,
}

impl FieldPath {
    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its steps, outermost first.
    #[must_use]
    pub fn steps(&self) -> &[String] {
        &self.steps
    }
}

impl FromStr for FieldPath {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let refuse = |reason| FieldError {
            text: text.to_owned(),
            reason,
        };
        let steps: Vec<String> = match text.strip_prefix('/') {
            Some(pointer) => pointer
                .split('/')
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect(),
            None => text.split('.').map(str::to_owned).collect(),
        };
        if text.is_empty() || steps.iter().all(String::is_empty) {
            return Err(refuse("it is empty"));
        }
        if !text.starts_with('/') && steps.iter().any(String::is_empty) {
            return Err(refuse("a step between dots is empty"));
        }
        if steps.len() > PATH_STEPS_MAX {
            return Err(refuse("it has more than 32 steps"));
        }
        Ok(Self {
            text: text.to_owned(),
            steps,
        })
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The fields that are wanted of each record: looked up together, in one pass over its text.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    tree: Tree,
    count: usize,
}

#[derive(Clone, Debug, Default)]
struct Tree {
    slots: Vec<usize>,
    children: BTreeMap<String, Tree>,
}

impl Wanted {
    /// Adds a path and tells at which place of [`Wanted::look_up`]'s answer its value stands.
    pub(super) fn add(&mut self, path: &FieldPath) -> usize {
        let mut tree = &mut self.tree;
        for step in path.steps() {
            tree = tree.children.entry(step.clone()).or_default();
        }
        tree.slots.push(self.count);
        self.count += 1;
        self.count - 1
    }

    /// The wanted fields of a JSON text as it stands there; checks the whole text.
    pub(super) fn look_up<'a>(
        &self,
        json: &'a str,
    ) -> Result<Vec<Option<&'a RawValue>>, serde_json::Error> {
        let mut found = vec![None; self.count];
        self.tree.visit(json, &mut found)?;
        Ok(found)
    }
}

impl Tree {
    fn visit<'a>(
        &self,
        json: &'a str,
        found: &mut [Option<&'a RawValue>],
    ) -> Result<(), serde_json::Error> {
        let mut text = serde_json::Deserializer::from_str(json);
        match json.trim_ascii_start().as_bytes().first() {
            Some(b'{') => text.deserialize_map(Members { tree: self, found })?,
            Some(b'[') => text.deserialize_seq(Members { tree: self, found })?,
            _ => {
                text.deserialize_ignored_any(IgnoredAny)?;
            }
        }
        text.end()
    }

    /// Puts a value into the slots of this place and looks into it for deeper ones.
    fn take<'a, E: serde::de::Error>(
        &self,
        value: &'a RawValue,
        found: &mut [Option<&'a RawValue>],
    ) -> Result<(), E> {
        for slot in &self.slots {
            if let Some(place) = found.get_mut(*slot) {
                *place = Some(value);
            }
        }
        if self.children.is_empty() {
            return Ok(());
        }
        self.visit(value.get(), found).map_err(E::custom)
    }
}

struct Members<'t, 'f, 'a> {
    tree: &'t Tree,
    found: &'f mut [Option<&'a RawValue>],
}

impl<'a> Visitor<'a> for Members<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object or array")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match self.tree.children.get(&key) {
                Some(tree) => tree.take(map.next_value::<&RawValue>()?, self.found)?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut values: A) -> Result<(), A::Error> {
        let mut index = 0_u64;
        while let Some(value) = values.next_element::<&RawValue>()? {
            if let Some(tree) = self.tree.children.get(&index.to_string()) {
                tree.take(value, self.found)?;
            }
            index += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, paths: &[&str], expect: &[Option<&str>]) {
        let mut wanted = Wanted::default();
        for path in paths {
            wanted.add(&path.parse().unwrap());
        }
        let found = wanted.look_up(json).unwrap();
        let found: Vec<_> = found.iter().map(|value| value.map(RawValue::get)).collect();
        assert_eq!(found, expect, "{json}");
    }

    #[test]
    fn fields_are_found_as_they_stand() {
        let json = r#" {"a":{"b":1.50,"c":[7,{"d":"x"}]},"n":12345678901234567890123,"e.f":null} "#;
        check(
            json,
            &["a.b", "n", "a.c.1.d", "/a/c/0", "/e.f", "zz", "a.b.c"],
            &[
                Some("1.50"),
                Some("12345678901234567890123"),
                Some("\"x\""),
                Some("7"),
                Some("null"),
                None,
                None,
            ],
        );
        check(
            r#"{"a":{"b":1}}"#,
            &["a", "a.b", "a"],
            &[Some(r#"{"b":1}"#), Some("1"), Some(r#"{"b":1}"#)],
        );
        check("17", &["a"], &[None]);
    }

    #[test]
    fn the_whole_text_is_checked() {
        for json in [
            "{",
            "{\"a\":1}x",
            "{\"a\":nope}",
            "",
            "{\"b\":{\"c\":}}",
            "[1,]",
        ] {
            let mut wanted = Wanted::default();
            wanted.add(&"a".parse().unwrap());
            assert!(wanted.look_up(json).is_err(), "{json}");
        }
    }

    #[test]
    fn deep_json_exhausts_no_stack() {
        let deep = format!("{}{}", "[".repeat(300_000), "]".repeat(300_000));
        let record = format!("{{\"a\":{deep}}}");
        check(&record, &["b"], &[None]);
        check(&record, &["a"], &[Some(&deep)]);
    }

    #[test]
    fn paths_without_steps_are_refused() {
        for text in ["", "/", "a..b", ".a", &"a.".repeat(40)] {
            assert!(text.parse::<FieldPath>().is_err(), "{text}");
        }
        assert_eq!(
            "/a~1b/c".parse::<FieldPath>().unwrap().steps(),
            ["a/b", "c"]
        );
    }
}
