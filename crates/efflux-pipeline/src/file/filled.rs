//! What variables and files put into the texts of a file, so that no fault tells it.

use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;

/// Characters of a piece of such a text that no fault tells: 12. Shorter ones stand in plain words.
const PIECE_CHARS: usize = 12;
/// Characters of a word of it that no fault of the text itself tells: 4.
const WORD_CHARS_MIN: usize = 4;

/// What variables hold that stand alone, as in `"${WORKERS}"`: a number or a truth value may be asked
/// for in their place. It outlives the table that is read.
#[derive(Default)]
pub struct Room(OnceCell<Vec<Scalar>>);

/// What variables hold is not shown.
impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room(…)")
    }
}

/// What a text holds that is nothing but a variable.
pub(super) struct Scalar {
    pub(super) span: Range<usize>,
    pub(super) text: String,
}

impl Room {
    pub(super) fn scalars(&self, filled: &[Filled]) -> &[Scalar] {
        self.0.get_or_init(|| {
            let alone = filled.iter().filter(|it| it.is_alone());
            let scalars = alone.map(|it| Scalar {
                span: it.span.clone(),
                text: it.text.trim().to_owned(),
            });
            scalars.collect()
        })
    }
}

/// A text into which something was filled in.
pub(super) struct Filled {
    /// Where the text stands.
    pub(super) span: Range<usize>,
    /// The text as the file has it.
    pub(super) raw: String,
    /// The text that became of it.
    pub(super) text: String,
    /// What was asked for, as in `${NAME}`, and what it holds.
    pub(super) parts: Vec<(String, String)>,
}

impl Filled {
    fn is_alone(&self) -> bool {
        let inner = self.raw.trim().strip_prefix("${");
        let inner = inner.and_then(|inner| inner.strip_suffix('}'));
        inner.is_some_and(|inner| !inner.contains(['{', '}']))
    }
}

/// What a fault at these bytes says, without what was filled in. A fault of such a text itself tells
/// no word of it either.
pub(super) fn told(filled: &[Filled], at: &Range<usize>, what: &str) -> String {
    let mut told = what.to_owned();
    for it in filled {
        let is_here = overlap(&it.span, at);
        let is_itself = is_here && it.span.start <= at.start && at.end <= it.span.end;
        for (name, value) in &it.parts {
            for value in [value.clone(), value.escape_debug().to_string()] {
                if value.chars().count() >= WORD_CHARS_MIN {
                    told = told.replace(&value, name);
                } else if is_here {
                    told = told.replace(&format!("\"{value}\""), &format!("{name:?}"));
                    told = told.replace(&format!("`{value}`"), &format!("`{name}`"));
                }
            }
        }
        let mut values = it.parts.iter().map(|(_, value)| value);
        let repeats = |value| has_piece(&told, value) || (is_itself && has_word(&told, value));
        if is_here && values.any(|value| repeats(value)) {
            return plainly(it, what);
        }
    }
    told
}

/// That the value does not fit, and what would.
fn plainly(filled: &Filled, what: &str) -> String {
    let raw = &filled.raw;
    let is_of_serde = what.starts_with("invalid ") || what.starts_with("unknown variant ");
    let expected = what.rsplit_once(", expected ").filter(|_| is_of_serde);
    match expected {
        Some((_, expected)) => format!("{raw} does not fit here, expected {expected}"),
        None => format!("{raw} does not fit here"),
    }
}

fn has_piece(told: &str, value: &str) -> bool {
    let letters: Vec<char> = value.chars().collect();
    let mut pieces = letters.windows(PIECE_CHARS);
    pieces.any(|piece| told.contains(&piece.iter().collect::<String>()))
}

fn has_word(told: &str, value: &str) -> bool {
    let words = value.split(|letter: char| !letter.is_alphanumeric());
    let mut words = words.filter(|word| word.chars().count() >= WORD_CHARS_MIN);
    words.any(|word| told.contains(word))
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(value: &str) -> Vec<Filled> {
        vec![Filled {
            span: 10..20,
            raw: "x${PASSWORD}".to_owned(),
            text: format!("x{value}"),
            parts: vec![("${PASSWORD}".to_owned(), value.to_owned())],
        }]
    }

    #[test]
    fn a_fault_of_the_shape_tells_nothing_of_the_value() {
        for (what, value) in [
            ("invalid type: string \"xhunter2\", expected u16", "hunter2"),
            ("unknown variant `xhunter2`, expected `a` or `b`", "hunter2"),
            ("\"xhunter2\" is no length of time", "hunter2"),
            ("there is no field \"hunter2\"", "a {hunter2} b"),
            (
                "invalid value: string \"x\\\"hunter2\\\"\", expected u16",
                "\"hunter2\"",
            ),
            (
                "invalid type: string \"xhunter2, expected hunter2\", expected u16",
                "hunter2, expected hunter2",
            ),
        ] {
            let told = super::told(&filled(value), &(10..20), what);
            assert!(!told.contains("hunter2"), "{told}");
            assert!(told.contains("${PASSWORD}"), "{told}");
        }
        let told = super::told(
            &filled("abc"),
            &(10..20),
            "invalid type: string \"abc\", expected u16",
        );
        assert_eq!(told, "invalid type: string \"${PASSWORD}\", expected u16");
    }

    #[test]
    fn a_fault_elsewhere_names_the_variable_in_place_of_its_value() {
        let told = super::told(&filled("hunter2"), &(40..50), "hunter2.dead is the topic");
        assert_eq!(told, "${PASSWORD}.dead is the topic");
    }

    #[test]
    fn a_long_piece_of_the_value_is_not_told() {
        let what = "\"p4ssw0rd-which-is\" is no port";
        let told = super::told(&filled("h:p4ssw0rd-which-is/b"), &(10..20), what);
        assert_eq!(told, "x${PASSWORD} does not fit here");
    }
}
