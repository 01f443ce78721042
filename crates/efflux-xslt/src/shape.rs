//! Refuses documents whose shape is dangerous, before libxml2 sees a byte of them.
//!
//! - `<!DOCTYPE`: with it begin entities that name files and addresses, entities that grow (a
//!   billion laughs), and defaults from elsewhere.
//! - Many attributes in an element, many namespaces in scope: libxml2 compares each with all the
//!   others, so that a document of some megabytes would keep it busy for hours.
//! - Encodings whose bytes do not say what they say in ASCII: what is looked for here would look
//!   different in them.
//!
//! It is one walk over the bytes, which trusts nothing and reports no fault of XML but these:
//! whether a document is well-formed is libxml2's to say.

use std::iter::Peekable;

use crate::limits::{ATTRIBUTES_MAX, DEPTH_MAX, NAMESPACES_IN_SCOPE_MAX};

/// Why a document is refused for its shape, in words that follow its name.
pub(crate) type Fault = String;

/// Encodings in which `<`, `>`, `=`, quotes and letters have the bytes of ASCII and no other
/// character has those bytes; UTF-16 is told by its first bytes.
const ENCODINGS: &[&str] = &[
    "utf-8",
    "utf8",
    "utf-16",
    "utf-16le",
    "utf-16be",
    "us-ascii",
    "ascii",
    "iso-8859-",
    "latin1",
    "windows-125",
    "cp125",
    "koi8-",
    "macintosh",
    "euc-jp",
    "euc-kr",
    "shift_jis",
    "gbk",
    "gb2312",
    "gb18030",
    "big5",
];

/// Looks at a document.
pub(crate) fn check(document: &[u8]) -> Result<(), Fault> {
    match document {
        [0xFE, 0xFF, rest @ ..] => Walk::over(wide(rest, 0)),
        [0xFF, 0xFE, rest @ ..] => Walk::over(wide(rest, 1)),
        [0, b'<', ..] => Walk::over(wide(document, 0)),
        [b'<', 0, ..] => Walk::over(wide(document, 1)),
        [0xEF, 0xBB, 0xBF, rest @ ..] => Walk::over(rest.iter().copied()),
        _ => Walk::over(document.iter().copied()),
    }
}

/// Why a document type is refused.
pub(crate) fn document_type() -> Fault {
    "has a document type (<!DOCTYPE), which can name files and declare entities that grow; \
     write characters as numbers, &#160; for &nbsp;"
        .to_owned()
}

/// The units of UTF-16 as bytes, those beyond ASCII as 255.
fn wide(document: &[u8], high_is_at: usize) -> impl Iterator<Item = u8> {
    document
        .as_chunks::<2>()
        .0
        .iter()
        .map(move |&[first, second]| {
            let (high, low) = match high_is_at {
                0 => (first, second),
                _ => (second, first),
            };
            if high == 0 { low } else { u8::MAX }
        })
}

/// Bytes of an XML declaration: those that libxml2 knows how to read have less than a hundred.
const DECLARATION_BYTES: usize = 512;

struct Walk<I: Iterator<Item = u8>> {
    units: Peekable<I>,
    /// The namespaces that each open element declares.
    open: Vec<usize>,
    in_scope: usize,
}

impl<I: Iterator<Item = u8>> Walk<I> {
    fn over(units: I) -> Result<(), Fault> {
        let mut walk = Self {
            units: units.peekable(),
            open: Vec::new(),
            in_scope: 0,
        };
        let mut has_element = false;
        while walk.begins(has_element) {
            has_element |= walk.markup()?;
        }
        if has_element {
            return Ok(());
        }
        Err("is not XML: no element stands at its beginning".to_owned())
    }

    /// Goes behind the next `<`; only white space may stand before the first element.
    fn begins(&mut self, has_element: bool) -> bool {
        if has_element {
            return self.pass(b"<");
        }
        while self.units.next_if(u8::is_ascii_whitespace).is_some() {}
        self.units.next() == Some(b'<')
    }

    /// What follows a `<`; true when it is an element.
    fn markup(&mut self) -> Result<bool, Fault> {
        match self.units.next() {
            Some(b'?') => self.instruction()?,
            Some(b'!') => match self.units.next() {
                Some(b'-') => {
                    self.units.next();
                    self.pass(b"-->");
                }
                Some(b'[') => {
                    self.pass(b"]]>");
                }
                _ => return Err(document_type()),
            },
            Some(b'/') => {
                self.in_scope -= self.open.pop().unwrap_or(0);
                self.pass(b">");
            }
            Some(_) => {
                self.element()?;
                return Ok(true);
            }
            None => {}
        }
        Ok(false)
    }

    /// A processing instruction; the first one may be the declaration, which names the encoding.
    fn instruction(&mut self) -> Result<(), Fault> {
        let mut beginning = String::new();
        while beginning.len() < DECLARATION_BYTES && !beginning.ends_with("?>") {
            let Some(unit) = self.units.next() else {
                return Ok(());
            };
            beginning.push(char::from(unit.to_ascii_lowercase().min(127)));
        }
        if !beginning.ends_with("?>") {
            self.pass(b"?>");
        }
        let named = beginning
            .strip_prefix("xml")
            .filter(|rest| rest.starts_with(|space: char| space.is_ascii_whitespace()))
            .and_then(|rest| rest.split_once("encoding"))
            .and_then(|(_, rest)| rest.split(['"', '\'']).nth(1));
        match named {
            Some(named) if !ENCODINGS.iter().any(|known| named.starts_with(known)) => Err(format!(
                "is in the encoding {named:?}, which is not accepted"
            )),
            _ => Ok(()),
        }
    }

    /// A start tag, from the second character of its name on.
    fn element(&mut self) -> Result<(), Fault> {
        let (mut attributes, mut namespaces, mut last) = (0_usize, 0_usize, [0_u8; 6]);
        while let Some(unit) = self.units.next() {
            match unit {
                b'"' | b'\'' => while self.units.next().is_some_and(|inner| inner != unit) {},
                b'=' => attributes += 1,
                b'>' => break,
                _ => {}
            }
            last.rotate_left(1);
            last[5] = unit;
            if last.ends_with(b"xmlns") && !last[0].is_ascii_alphanumeric() {
                namespaces += 1;
            }
        }
        if attributes > ATTRIBUTES_MAX {
            return Err(format!(
                "has an element with more than {ATTRIBUTES_MAX} attributes"
            ));
        }
        if last[5] == b'/' {
            return Ok(());
        }
        self.open.push(namespaces);
        self.in_scope += namespaces;
        if self.open.len() > DEPTH_MAX {
            return Err(format!("has elements more than {DEPTH_MAX} deep"));
        }
        if self.in_scope > NAMESPACES_IN_SCOPE_MAX {
            return Err(format!(
                "has more than {NAMESPACES_IN_SCOPE_MAX} namespaces within each other"
            ));
        }
        Ok(())
    }

    /// Goes behind the next `end`; false when there is none.
    fn pass(&mut self, end: &[u8]) -> bool {
        let mut last = [0_u8; 3];
        for unit in self.units.by_ref() {
            last.rotate_left(1);
            last[2] = unit;
            if last.ends_with(end) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(document: &[u8]) -> String {
        check(document).err().unwrap_or_default()
    }

    /// Looks at a document in UTF-8 and both orders of UTF-16.
    fn look(document: &str, expect: &str) {
        let found = said(document.as_bytes());
        assert!(
            found.contains(expect) && found.is_empty() == expect.is_empty(),
            "{document:.80}: {found}"
        );
        let wide = |order: fn(u16) -> [u8; 2]| {
            document.encode_utf16().flat_map(order).collect::<Vec<u8>>()
        };
        let big = |unit: u16| [(unit >> 8) as u8, (unit & 0xFF) as u8];
        let little = |unit: u16| [(unit & 0xFF) as u8, (unit >> 8) as u8];
        assert_eq!(said(&[&[0xFE, 0xFF][..], &wide(big)].concat()), found);
        assert_eq!(said(&[&[0xFF, 0xFE][..], &wide(little)].concat()), found);
    }

    #[test]
    fn a_document_type_is_found_behind_what_may_stand_before_it() {
        look("<a/>", "");
        look("<?xml version='1.0'?>\n<!-- <!DOCTYPE --> <a/>", "");
        look("<!DOCTYPE a>", "document type");
        look(
            "<?xml version='1.0'?><!-- - -- > --><?p ?>  <!DOCTYPE a []><a/>",
            "document type",
        );
        look("<!ELEMENT", "document type");
        look("<a><![CDATA[<!DOCTYPE x>]]><b c='<!DOCTYPE'/></a>", "");
    }

    #[test]
    fn what_no_document_begins_with_is_refused() {
        for text in ["", "  ", "a<b/>", "<", "<?xml", "<!-- ", "+ADw-a"] {
            look(text, "no element");
        }
    }

    #[test]
    fn encodings_that_could_hide_something_are_refused() {
        look("<?xml version='1.0' encoding='UTF-7'?><a/>", "utf-7");
        look(
            "<?xml version='1.0' encoding = \"ISO-2022-JP\"?><a/>",
            "iso-2022-jp",
        );
        look("<?xml version='1.0' encoding='ISO-8859-15'?><a/>", "");
        look("<?xml-stylesheet encoding='UTF-7'?><a/>", "");
    }

    #[test]
    fn attributes_namespaces_and_depth_are_bounded() {
        let attributes = |count: usize| {
            (0..count)
                .map(|n| format!(" a{n} = '='"))
                .collect::<String>()
        };
        look(&format!("<a{}/>", attributes(ATTRIBUTES_MAX)), "");
        look(
            &format!("<a{}/>", attributes(ATTRIBUTES_MAX + 1)),
            "attributes",
        );
        let sisters = "<b xmlns='u' xmlns:c=\"v\"><c/></b>".repeat(NAMESPACES_IN_SCOPE_MAX);
        look(&format!("<a>{sisters}</a>"), "");
        let many: String = (0..200).map(|n| format!(" xmlns:n{n}='u'")).collect();
        let nested = format!("<a{many}>").repeat(NAMESPACES_IN_SCOPE_MAX / 200 + 1);
        look(&nested, "namespaces");
        look(&"<a>".repeat(DEPTH_MAX), "");
        look(&"<a>".repeat(DEPTH_MAX + 1), "deep");
        look(&"<a/><b></b>".repeat(DEPTH_MAX * 2), "");
    }
}
