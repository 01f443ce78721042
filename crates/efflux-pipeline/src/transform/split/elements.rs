//! The XML elements of one name.

use std::collections::{BTreeMap, HashMap, HashSet};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::Deserialize;

use crate::emit::Emit;
use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::transform::limits::{XML_DEPTH_MAX, XML_NAMESPACES_MAX};
use crate::transform::part::part;
use crate::transform::split::entities::{entities, entity};

/// Which XML elements become messages. Each is cut out as it stands, with the namespaces that are
/// declared around it. An element within another one of the same name is part of that one.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct SplitXml {
    /// The name of the elements, as it stands in the document: `order` or `s:order`.
    pub element: String,
}

impl SplitXml {
    pub(super) fn check(&self) -> Result<(), StageError> {
        let is_strange =
            |character: char| character.is_whitespace() || "<>/&\"'=".contains(character);
        if self.element.is_empty() || self.element.contains(is_strange) {
            return Err(StageError::fatal(format!(
                "{:?} is no name of an XML element",
                self.element
            )));
        }
        Ok(())
    }

    pub(super) fn split(&self, input: &Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        let text = input.text()?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut walk = Walk::over(text);
        while let Some(element) = walk.next(&self.element)? {
            out.push(part(&input.message, element, "application/xml"))?;
        }
        Ok(())
    }
}

/// A walk through a document.
struct Walk<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    /// The namespaces that each open element declares.
    open: Vec<Vec<(String, String)>>,
    namespaces: usize,
    /// How often each prefix is declared by open elements.
    prefixes: HashMap<String, usize>,
    has_root: bool,
}

/// Where an element that is cut out begins.
struct Cut {
    starts_at: usize,
    depth: usize,
    /// Behind its name, where declarations may be put.
    name_ends_at: usize,
    declarations: String,
}

impl<'a> Walk<'a> {
    fn over(text: &'a str) -> Self {
        Self {
            text,
            reader: Reader::from_str(text),
            open: Vec::new(),
            namespaces: 0,
            prefixes: HashMap::new(),
            has_root: false,
        }
    }

    fn at(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// The next element with this name.
    fn next(&mut self, name: &str) -> Result<Option<String>, StageError> {
        let mut cut: Option<Cut> = None;
        loop {
            let starts_at = self.at();
            let event = self
                .reader
                .read_event()
                .map_err(|error| fault(self.reader.error_position(), &error.to_string()))?;
            match event {
                Event::Start(start) => {
                    let declared = self.enter(&start, starts_at)?;
                    if cut.is_none() && start.name().as_ref() == name {
                        cut = Some(self.cut(starts_at, name, &declared));
                    }
                    self.open.push(declared);
                }
                Event::Empty(start) => {
                    let declared = self.enter(&start, starts_at)?;
                    self.leave(&declared);
                    if cut.is_none() && start.name().as_ref() == name {
                        let cut = self.cut(starts_at, name, &declared);
                        return Ok(Some(self.taken(&cut)));
                    }
                }
                Event::End(_) => {
                    let declared = self.open.pop().unwrap_or_default();
                    self.leave(&declared);
                    if let Some(cut) = cut.take_if(|cut| cut.depth == self.open.len()) {
                        return Ok(Some(self.taken(&cut)));
                    }
                }
                Event::DocType(_) => {
                    return Err(fault(
                        self.reader.buffer_position(),
                        "it has a document type (<!DOCTYPE), which is refused",
                    ));
                }
                Event::Decl(declaration) => {
                    let named = declaration.encoding().and_then(Result::ok);
                    self.encoding(named.as_deref())?;
                }
                Event::GeneralRef(reference) => {
                    if self.open.is_empty() {
                        return Err(outside(starts_at as u64));
                    }
                    entity(&reference).map_err(|what| fault(starts_at as u64, &what))?;
                }
                Event::CData(_) if self.open.is_empty() => return Err(outside(starts_at as u64)),
                Event::Text(text) if self.open.is_empty() && !is_space(&text) => {
                    return Err(outside(self.reader.buffer_position()));
                }
                Event::Eof => return self.end(),
                _ => {}
            }
        }
    }

    fn end(&self) -> Result<Option<String>, StageError> {
        match (self.has_root, self.open.is_empty()) {
            (true, true) => Ok(None),
            (false, _) => Err(fault(0, "it has no element")),
            (true, false) => Err(fault(
                self.reader.buffer_position(),
                "an element does not end",
            )),
        }
    }

    /// Refuses what says that it is not UTF-8, which it is: somebody else would read it otherwise.
    fn encoding(&self, declared: Option<&str>) -> Result<(), StageError> {
        match declared {
            Some(name) if !["utf-8", "us-ascii"].contains(&name.to_ascii_lowercase().as_str()) => {
                let what = format!("it says that it is in {name}; it has to be converted first");
                Err(fault(self.reader.buffer_position(), &what))
            }
            _ => Ok(()),
        }
    }

    /// The namespaces that an element declares.
    fn enter(
        &mut self,
        start: &BytesStart<'_>,
        at: usize,
    ) -> Result<Vec<(String, String)>, StageError> {
        if self.has_root && self.open.is_empty() {
            return Err(fault(at as u64, "it has a second root element"));
        }
        self.has_root = true;
        let at = at as u64;
        if self.open.len() >= XML_DEPTH_MAX {
            return Err(fault(
                at,
                &format!("its elements are more than {XML_DEPTH_MAX} deep"),
            ));
        }
        let mut declared = Vec::new();
        let mut names = HashSet::new();
        // The reader's own check compares each attribute with all the others.
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| fault(at, &error.to_string()))?;
            let name = attribute.key.as_ref();
            if !names.insert(name.to_owned()) {
                return Err(fault(at, &format!("the attribute {name} stands twice")));
            }
            entities(&attribute.value).map_err(|what| fault(at, &what))?;
            if name == "xmlns" || name.starts_with("xmlns:") {
                declared.push((name.to_owned(), attribute.value.into_owned()));
            }
        }
        self.namespaces += declared.len();
        if self.namespaces > XML_NAMESPACES_MAX {
            return Err(fault(
                at,
                &format!("it declares more than {XML_NAMESPACES_MAX} namespaces within each other"),
            ));
        }
        for (prefix, _) in &declared {
            *self.prefixes.entry(prefix.clone()).or_default() += 1;
        }
        let element = start.name();
        for name in names.iter().map(String::as_str).chain([element.as_ref()]) {
            self.bound(name, at)?;
        }
        Ok(declared)
    }

    /// Forgets the namespaces of an element that ends.
    fn leave(&mut self, declared: &[(String, String)]) {
        self.namespaces -= declared.len();
        for (prefix, _) in declared {
            if let Some(times) = self.prefixes.get_mut(prefix) {
                *times -= 1;
            }
        }
    }

    /// Refuses a name with a prefix that is declared nowhere around it.
    fn bound(&self, name: &str, at: u64) -> Result<(), StageError> {
        let Some((prefix, _)) = name.split_once(':') else {
            return Ok(());
        };
        let times = self.prefixes.get(&format!("xmlns:{prefix}"));
        let is_bound = times.is_some_and(|times| *times > 0);
        match is_bound || matches!(prefix, "xml" | "xmlns") {
            true => Ok(()),
            false => Err(fault(at, &format!("the prefix of {name} is not declared"))),
        }
    }

    fn cut(&self, starts_at: usize, name: &str, declared: &[(String, String)]) -> Cut {
        let mut around = BTreeMap::new();
        for (prefix, address) in self.open.iter().flatten() {
            around.insert(prefix, address);
        }
        let mut declarations = String::new();
        for (prefix, address) in around {
            let is_its_own = declared.iter().any(|(own, _)| own == prefix);
            let is_taken_back = address.is_empty() && prefix == "xmlns";
            if !(is_its_own || is_taken_back) {
                let quote = if address.contains('"') { '\'' } else { '"' };
                declarations.push_str(&format!(" {prefix}={quote}{address}{quote}"));
            }
        }
        Cut {
            starts_at,
            depth: self.open.len(),
            name_ends_at: starts_at + 1 + name.len(),
            declarations,
        }
    }

    /// The element from where it begins to where the walk is.
    fn taken(&self, cut: &Cut) -> String {
        let part = |range: std::ops::Range<usize>| self.text.get(range).unwrap_or_default();
        let head = part(cut.starts_at..cut.name_ends_at);
        let rest = part(cut.name_ends_at..self.at());
        [head, &cut.declarations, rest].concat()
    }
}

/// Whether there is nothing but white space.
fn is_space(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

fn outside(at: u64) -> StageError {
    fault(at, "text stands outside of the first element")
}

fn fault(at: u64, what: &str) -> StageError {
    StageError::rejected(format!(
        "the payload is no XML that can be split: {what} (byte {at})"
    ))
}
