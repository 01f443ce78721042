//! JSON documents: arrays of records, and arrays that lie somewhere within.

use std::io::{self, BufRead};

use super::field::FieldPath;
use super::limits::{RECORD_BYTES_MAX, SNIFF_BYTES};
use super::place::{Fault, Malformed, Place};
use super::record::{Body, Record, not_utf8};
use super::scanner::{End, Scanner};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads the records of a JSON document: the elements of an array, or each value of several.
///
/// The array may lie within objects, at the path `records`; in `GeoJSON` that is `features`. White
/// space between tokens is left out of a record's text, all else stays as it stands in the file.
#[derive(Debug)]
pub struct JsonReader<R> {
    scanner: Scanner<R>,
    records: Option<FieldPath>,
    count: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte.
    Start,
    /// Between values that stand one after the other.
    Between,
    /// In an array, before its first element.
    First,
    /// In an array, after an element.
    After,
    /// Past the last record.
    End,
}

impl<R: BufRead> JsonReader<R> {
    /// A reader at the beginning of a document.
    ///
    /// # Errors
    /// The file's own error.
    pub fn new(reader: R, records: Option<FieldPath>) -> io::Result<Self> {
        let mut scanner = Scanner::new(reader);
        if scanner.beginning()?.starts_with(BOM) {
            scanner.pass(BOM.len());
        }
        let records = match records {
            None if is_geojson(scanner.beginning()?) => "features".parse().ok(),
            records => records,
        };
        Ok(Self {
            scanner,
            records,
            count: 0,
            state: State::Start,
        })
    }

    /// The next record; none at the end.
    pub(super) fn next_record(&mut self) -> Result<Option<Record>, Fault> {
        if self.state == State::Start {
            self.enter()?;
        }
        match self.state {
            State::First | State::After => self.next_element(),
            State::Between if self.scanner.peek()?.is_some() => self.read().map(Some),
            _ => Ok(None),
        }
    }

    /// Goes to the array of records.
    fn enter(&mut self) -> Result<(), Fault> {
        self.state = State::First;
        for step in self.records.clone().iter().flat_map(FieldPath::steps) {
            self.enter_member(step)?;
        }
        if self.scanner.take(b'[')? {
            return Ok(());
        }
        if let Some(path) = &self.records {
            return Err(self.broken(&format!("{path} is no array of records")));
        }
        self.state = State::Between;
        Ok(())
    }

    /// Goes to the value of the member `name` of the object that begins here.
    fn enter_member(&mut self, name: &str) -> Result<(), Fault> {
        if !self.scanner.take(b'{')? {
            return Err(self.broken(&format!("expected an object with a member {name:?}")));
        }
        if self.scanner.peek()? == Some(b'}') {
            return Err(self.broken(&format!("the object has no member {name:?}")));
        }
        loop {
            let mut key = Vec::new();
            let end = self.scanner.value(Some(&mut key))?;
            let key = serde_json::from_slice::<String>(&key).ok();
            let (End::Whole, Some(key), true) = (end, key, self.scanner.take(b':')?) else {
                return Err(self.broken("expected a member's name and a colon"));
            };
            if key == name {
                return Ok(());
            }
            if self.scanner.value(None)? == End::File {
                return Err(self.broken("the file ends within a member"));
            }
            if !self.scanner.take(b',')? {
                return Err(self.broken(&format!("the object has no member {name:?}")));
            }
        }
    }

    fn next_element(&mut self) -> Result<Option<Record>, Fault> {
        if self.scanner.take(b']')? {
            self.state = State::End;
            if self.records.is_none() && self.scanner.peek()?.is_some() {
                return Err(self.broken("something stands after the array"));
            }
            return Ok(None);
        }
        if self.state == State::After && !self.scanner.take(b',')? {
            return Err(match self.scanner.peek()? {
                None => self.broken("the file ends within the array"),
                Some(_) => self.broken("expected a comma or the end of the array"),
            });
        }
        self.state = State::After;
        self.read().map(Some)
    }

    /// Reads the value that begins here.
    fn read(&mut self) -> Result<Record, Fault> {
        self.scanner.peek()?;
        self.count += 1;
        let place = self.place();
        let mut text = Vec::new();
        match self.scanner.value(Some(&mut text))? {
            End::Whole if text.is_empty() => Err(self.broken("expected a value")),
            End::Whole => match String::from_utf8(text) {
                Ok(text) => Ok(Record {
                    place,
                    body: Body::Json(text),
                }),
                Err(error) => {
                    let at = error.utf8_error().valid_up_to();
                    Err(not_utf8(
                        Place {
                            column: None,
                            ..place
                        },
                        at,
                        error.as_bytes(),
                    )
                    .into())
                }
            },
            End::File => {
                let problem = "the file ends within the record that begins here";
                Err(Malformed::new(place, problem, &text).at_an_end().into())
            }
            End::TooLong => {
                let problem = format!("the record is longer than {RECORD_BYTES_MAX} bytes");
                Err(Malformed::new(place, problem, &text).into())
            }
        }
    }

    fn place(&self) -> Place {
        let (line, column) = self.scanner.position();
        Place {
            record: self.count,
            line: Some(line),
            column: Some(column),
            offset: None,
        }
    }

    /// The fault of a document whose structure cannot be followed any further.
    fn broken(&mut self, problem: &str) -> Fault {
        let place = Place {
            record: self.count + 1,
            ..self.place()
        };
        let rest = self.scanner.beginning().unwrap_or_default();
        let excerpt = rest.get(..80).unwrap_or(rest);
        Malformed::new(place, problem, excerpt).at_an_end().into()
    }
}

/// Whether the document's beginning says that it is a `GeoJSON` collection.
fn is_geojson(beginning: &[u8]) -> bool {
    let beginning = beginning.get(..SNIFF_BYTES).unwrap_or(beginning);
    let name = b"\"FeatureCollection\"";
    beginning.trim_ascii_start().starts_with(b"{")
        && beginning.windows(name.len()).any(|window| window == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, path: Option<&str>) -> Vec<String> {
        let path = path.map(|path| path.parse().unwrap());
        let mut reader = JsonReader::new(json.as_bytes(), path).unwrap();
        let mut found = Vec::new();
        loop {
            match reader.next_record() {
                Ok(None) => return found,
                Ok(Some(Record {
                    body: Body::Json(text),
                    place,
                })) => {
                    assert_eq!(place.record, found.len() as u64 + 1);
                    found.push(text);
                }
                Ok(Some(other)) => panic!("{other:?}"),
                Err(Fault::Malformed(fault)) => {
                    found.push(format!("{}: {}", fault.place, fault.problem));
                    if !fault.can_go_on {
                        return found;
                    }
                }
                Err(Fault::Io(error)) => panic!("{error}"),
            }
        }
    }

    fn check(json: &str, path: Option<&str>, expect: &[&str]) {
        assert_eq!(read(json, path), expect, "{json}");
    }

    #[test]
    fn elements_come_one_by_one() {
        check("[]", None, &[]);
        check(
            " [ {\"a\": 1},\n\t[2] , \"x\"\n]\n",
            None,
            &["{\"a\":1}", "[2]", "\"x\""],
        );
        check("\u{feff}[1]", None, &["1"]);
        check("", None, &[]);
    }

    #[test]
    fn values_that_stand_one_after_the_other_are_records() {
        check("{\"a\":1}\n{\"a\":\n2}", None, &["{\"a\":1}", "{\"a\":2}"]);
        check("{}", None, &["{}"]);
    }

    #[test]
    fn an_array_within_is_found_by_its_path() {
        let json = "{\"n\":{\"features\":3},\"a\":{\"x\":[0],\"b\":[1,2]},\"z\":9}";
        check(json, Some("a.b"), &["1", "2"]);
        check(json, Some("z"), &["1:49: z is no array of records"]);
        check(json, Some("y"), &["1:50: the object has no member \"y\""]);
        check(
            "[1]",
            Some("a"),
            &["1:1: expected an object with a member \"a\""],
        );
        let geo = "{\"type\":\"FeatureCollection\",\"bbox\":[1],\"features\":[{},{\"a\":0}]}";
        check(geo, None, &["{}", "{\"a\":0}"]);
    }

    #[test]
    fn broken_structure_is_named_with_line_and_column() {
        check(
            "[1,\n2",
            None,
            &["1", "2", "2:2: the file ends within the array"],
        );
        check(
            "[1 2]",
            None,
            &["1", "1:4: expected a comma or the end of the array"],
        );
        check(
            "[1,\n {\"a\":",
            None,
            &["1", "2:2: the file ends within the record that begins here"],
        );
        check("[1,]", None, &["1", "1:4: expected a value"]);
        check(
            "[1] 2",
            None,
            &["1", "1:5: something stands after the array"],
        );
    }
}
