//! Fills in what the surroundings know: variables and files that hold secrets.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::bounded::read_bounded;

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

/// Fills in all texts of a table, and notes what is not there, with the byte where it is asked for.
pub(super) fn expand(
    table: &mut DeTable<'_>,
    around: &dyn Surroundings,
    missing: &mut Vec<(usize, String)>,
) {
    for (_, value) in table.iter_mut() {
        expand_value(value, around, missing);
    }
}

fn expand_value(
    value: &mut Spanned<DeValue<'_>>,
    around: &dyn Surroundings,
    missing: &mut Vec<(usize, String)>,
) {
    let span = value.span();
    match value.get_mut() {
        DeValue::Table(table) => expand(table, around, missing),
        DeValue::Array(array) => {
            for element in array.iter_mut() {
                expand_value(element, around, missing);
            }
        }
        DeValue::String(text) if text.contains("${") => match filled_in(text, around) {
            Ok(filled) => *text = Cow::Owned(filled),
            Err(what) => {
                missing.push((span.start, what));
            }
        },
        _ => {}
    }
}

/// The text with each `${NAME}`, `${NAME:-OTHERWISE}` and `${file:PATH}` filled in; `$${` is meant
/// as `${`.
fn filled_in(text: &str, around: &dyn Surroundings) -> Result<String, String> {
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
        filled.push_str(&value(name, around)?);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn value(name: &str, around: &dyn Surroundings) -> Result<String, String> {
    if let Some(path) = name.strip_prefix("file:") {
        return around.file(path);
    }
    let (name, otherwise) = match name.split_once(":-") {
        Some((name, otherwise)) => (name, Some(otherwise)),
        None => (name, None),
    };
    let found = around.variable(name).filter(|value| !value.is_empty());
    found
        .or_else(|| otherwise.map(ToOwned::to_owned))
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
        filled_in(text, &around)
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
