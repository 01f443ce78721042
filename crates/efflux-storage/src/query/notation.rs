//! How fields, names and values are written in a query.

use std::fmt::{self, Display, Formatter, Write as _};

use efflux_particle::Timestamp;

use super::data::DataValue;
use super::expr::{Term, TimeField};

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => f.write_str("id"),
            Self::DataType => f.write_str("data_type"),
            Self::ContentType => f.write_str("content_type"),
            Self::ContentEncoding => f.write_str("content_encoding"),
            Self::MessageGroup => f.write_str("message_group"),
            Self::Property(name) => {
                f.write_str("properties.")?;
                if name.split('.').all(is_bare) {
                    f.write_str(name)
                } else {
                    write_quoted(f, name)
                }
            }
        }
    }
}

impl Display for TimeField {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timestamp => "timestamp",
            Self::Created => "created",
        })
    }
}

impl Display for DataValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => Display::fmt(value, f),
            Self::Integer(number) => Display::fmt(number, f),
            // The debug form keeps a fraction or an exponent, so that it reads back as a float.
            Self::Float(number) => fmt::Debug::fmt(&number.get(), f),
            Self::Text(text) => write_quoted(f, text),
        }
    }
}

/// Nanoseconds since the Unix epoch, written as RFC 3339.
pub(super) struct Time(pub(super) i64);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&Timestamp::from_nanos(self.0), f)
    }
}

/// Whether a name, or one of its parts between dots, needs no quotes.
pub(super) fn is_bare(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !name.is_empty() && name.bytes().all(plain)
}

pub(super) fn write_path(f: &mut Formatter<'_>, path: &[String]) -> fmt::Result {
    f.write_str("data")?;
    for step in path {
        f.write_char('.')?;
        if is_bare(step) {
            f.write_str(step)?;
        } else {
            write_quoted(f, step)?;
        }
    }
    Ok(())
}

/// Writes a text in quotes; what would break a line or steer a terminal is escaped.
pub(super) fn write_quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if is_unseen(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// Characters that take no place of their own or turn the direction of what stands around them.
pub(super) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
