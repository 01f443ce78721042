//! The elements of a JSON array, as they stand in an answer.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::limits::ELEMENTS_MAX;

/// The elements of the array at this path, byte for byte.
///
/// # Errors
/// A sentence that says why there are none.
pub(super) fn elements<'a>(body: &'a [u8], path: &[String]) -> Result<Vec<&'a str>, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the answer is no UTF-8".to_owned())?;
    let mut text = text.trim_start_matches('\u{feff}');
    for (depth, name) in path.iter().enumerate() {
        let at = || match path.get(..depth).unwrap_or_default() {
            [] => "the answer".to_owned(),
            names => names.join("."),
        };
        let fields: HashMap<String, &'a RawValue> = serde_json::from_str(text)
            .map_err(|error| format!("{} is no object: {error}", at()))?;
        let found = fields.get(name.as_str());
        text = found
            .ok_or_else(|| format!("{} has no {name:?}", at()))?
            .get();
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let found = json.deserialize_seq(Elements).and_then(|found| {
        json.end()?;
        Ok(found)
    });
    found.map_err(|error| match path {
        [] => format!("the answer is no array of elements: {error}"),
        path => format!("{} is no array of elements: {error}", path.join(".")),
    })
}

struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = array.next_element::<&'de RawValue>()? {
            if elements.len() == ELEMENTS_MAX {
                let told = format!("it has more than {ELEMENTS_MAX} elements");
                return Err(A::Error::custom(told));
            }
            elements.push(element.get());
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, path: &str, expect: Result<&[&str], &str>) {
        let names: Vec<_> = path.split_terminator('.').map(ToOwned::to_owned).collect();
        match (elements(body.as_bytes(), &names), expect) {
            (Ok(found), Ok(expect)) => assert_eq!(found, expect),
            (Err(told), Err(expect)) => assert!(told.contains(expect), "{told}"),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn elements_are_what_was_sent_byte_for_byte() {
        check(
            "[1.0, {\"b\": 1,\"a\":2} ]",
            "",
            Ok(&["1.0", "{\"b\": 1,\"a\":2}"]),
        );
        check("{\"data\":{\"items\":[1]}}", "data.items", Ok(&["1"]));
        check("[]", "", Ok(&[]));
    }

    #[test]
    fn what_is_not_there_is_told_with_its_place() {
        check("{\"data\":{}}", "data.items", Err("data has no \"items\""));
        check("{\"data\":7}", "data.items", Err("data is no object"));
        check("{\"data\":7}", "data", Err("data is no array of elements"));
        check("[1] 2", "", Err("trailing characters"));
        check("no", "", Err("the answer is no array"));
        let many = format!("[{}0]", "0,".repeat(ELEMENTS_MAX));
        check(&many, "", Err("more than 100000 elements"));
    }
}
