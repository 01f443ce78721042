//! Fills in what the surroundings know: variables and files that hold secrets.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::bounded::read_bounded;
use super::filled::Filled;

/// Bytes of a file that holds a secret: 64 KiB.
const SECRET_BYTES_MAX: usize = 64 * 1024;

/// Where `${NAME}` and `${file:PATH}` are looked up.
pub trait Surroundings {
    /// The variable's value; none when it is not set.
    fn variable(&self, name: &str) -> Option<String>;

    /// The file's text.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn file(&self, path: &str) -> Result<String, String> {
        let bytes = read_bounded(path, SECRET_BYTES_MAX)?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|error| format!("the file {path} cannot be read: {error}"))?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// A closure that knows variables.
impl<F: Fn(&str) -> Option<String>> Surroundings for F {
    fn variable(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// What became of the texts of a table.
#[derive(Default)]
pub(super) struct Expanded {
    pub(super) filled: Vec<Filled>,
    /// What is not there, and where it is asked for.
    pub(super) missing: Vec<(Range<usize>, String)>,
}

/// Fills in all texts of a table.
pub(super) fn expand(table: &mut DeTable<'_>, around: &dyn Surroundings) -> Expanded {
    let mut expanded = Expanded::default();
    expand_table(table, around, &mut expanded);
    expanded
}

fn expand_table(table: &mut DeTable<'_>, around: &dyn Surroundings, expanded: &mut Expanded) {
    for (_, value) in table.iter_mut() {
        expand_value(value, around, expanded);
    }
}

fn expand_value(
    value: &mut Spanned<DeValue<'_>>,
    around: &dyn Surroundings,
    expanded: &mut Expanded,
) {
    let span = value.span();
    match value.get_mut() {
        DeValue::Table(table) => expand_table(table, around, expanded),
        DeValue::Array(array) => {
            for element in array.iter_mut() {
                expand_value(element, around, expanded);
            }
        }
        DeValue::String(text) if text.contains("${") => {
            let mut parts = Vec::new();
            match filled_in(text, around, &mut parts) {
                Ok(filled) => {
                    let raw = std::mem::replace(text, Cow::Owned(filled.clone())).into_owned();
                    expanded.filled.push(Filled {
                        span,
                        raw,
                        text: filled,
                        parts,
                    });
                }
                Err(what) => expanded.missing.push((span, what)),
            }
        }
        _ => {}
    }
}

/// The text with each `${NAME}`, `${NAME:-OTHERWISE}` and `${file:PATH}` filled in; `$${` is meant
/// as `${`. Notes what was asked for, and what it holds.
fn filled_in(
    text: &str,
    around: &dyn Surroundings,
    parts: &mut Vec<(String, String)>,
) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let inner = from.get(2..).unwrap_or_default();
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str("${");
            rest = inner;
            continue;
        }
        filled.push_str(before);
        let (name, behind) = inner
            .split_once('}')
            .ok_or("a `${` is not closed; write `$${` where it is meant as such")?;
        match value(name, around)? {
            Value::Otherwise(text) => filled.push_str(text),
            Value::Held(held) => {
                filled.push_str(&held);
                let name = name.split_once(":-").map_or(name, |(name, _)| name);
                parts.push((format!("${{{name}}}"), held));
            }
        }
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

enum Value<'a> {
    /// What the surroundings hold, which may be a secret.
    Held(String),
    /// What the file itself says.
    Otherwise(&'a str),
}

fn value<'a>(name: &'a str, around: &dyn Surroundings) -> Result<Value<'a>, String> {
    if let Some(path) = name.strip_prefix("file:") {
        return around.file(path).map(Value::Held);
    }
    let (name, otherwise) = match name.split_once(":-") {
        Some((name, otherwise)) => (name, Some(otherwise)),
        None => (name, None),
    };
    let found = around.variable(name).filter(|value| !value.is_empty());
    found
        .map(Value::Held)
        .or(otherwise.map(Value::Otherwise))
        .ok_or_else(|| {
            format!(
                "the environment has no variable {name}; set it, or write ${{{name}:-TEXT}} with \
                 what stands there otherwise"
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn filled(text: &str) -> Result<String, String> {
        let around = |name: &str| (name == "USER").then(|| "ada".to_owned());
        filled_in(text, &around, &mut Vec::new())
    }

    #[test]
    fn variables_are_filled_in() {
        for (text, expect) in [
            ("a ${USER} b", "a ada b"),
            ("${NONE:-x}${USER}", "xada"),
            ("${NONE:-}", ""),
            ("$${USER}", "${USER}"),
            ("é$${}é${USER}", "é${}éada"),
            ("{ $x }", "{ $x }"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expect), "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_told() {
        assert!(filled("${NONE}").unwrap_err().contains("no variable NONE"));
        assert!(filled("${USER").unwrap_err().contains("not closed"));
        assert!(
            filled("${file:/none/of/these}")
                .unwrap_err()
                .contains("cannot be read")
        );
    }

    #[test]
    fn a_file_gives_its_text_without_the_last_line_end() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"s3cret\n").unwrap();
        let text = format!("${{file:{}}}", file.path().display());
        assert_eq!(filled(&text).as_deref(), Ok("s3cret"));
    }
}
