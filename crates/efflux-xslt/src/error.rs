//! Why a stylesheet does not compile or a document is not transformed.

use thiserror::Error;

/// Why a stylesheet does not compile or a document is not transformed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{message}", Self::place(self.line))]
#[non_exhaustive]
pub struct XsltError {
    /// What the caller can do about it.
    pub kind: XsltErrorKind,
    /// The line, from 1, where there is one: of the stylesheet, or with
    /// [`XsltErrorKind::Document`] of the document.
    pub line: Option<u32>,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// What is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum XsltErrorKind {
    /// libxslt cannot be loaded, or is not what it should be: the machine is at fault.
    Missing,
    /// The stylesheet is no stylesheet, or one that is refused.
    Stylesheet,
    /// The document is not well-formed XML, or is refused.
    Document,
    /// The stylesheet failed on this document, or ended the transformation itself.
    Transformation,
}

impl XsltError {
    pub(crate) fn new(kind: XsltErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            line: None,
            message: message.into(),
        }
    }

    /// The fault that libxml2 or libxslt told in `complaint`: its sentences, and the first line
    /// that it names.
    pub(crate) fn told(kind: XsltErrorKind, complaint: &str, otherwise: &str) -> Self {
        let mut sentences = complaint
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        let first = sentences.next().unwrap_or(otherwise);
        // What follows a complaint of the parser is the line of the document, which is data.
        let message = match (first.split_once(" error : "), sentences.next()) {
            (Some((_, what)), _) if first.contains(": parser error") => what.to_owned(),
            (Some(_), _) if first.contains(": namespace error") => first.to_owned(),
            (_, Some(second)) => format!("{}: {second}", without_place(first)),
            (_, None) => without_place(first),
        };
        Self {
            kind,
            line: line_in(first),
            message,
        }
    }

    fn place(line: Option<u32>) -> String {
        line.map(|line| format!("line {line}: "))
            .unwrap_or_default()
    }
}

/// `runtime error in value-of` for `runtime error: file stylesheet line 2 element value-of`.
fn without_place(sentence: &str) -> String {
    match (
        sentence.split_once(": file "),
        sentence.split_once(" element "),
    ) {
        (Some((what, _)), Some((_, element))) => format!("{what} in {element}"),
        _ => sentence.to_owned(),
    }
}

/// The number behind the first `line `, or between the colons of `stylesheet:7: `.
fn line_in(sentence: &str) -> Option<u32> {
    let (_, after) = sentence
        .split_once("line ")
        .or_else(|| sentence.split_once(':'))?;
    let digits = after
        .split(|character: char| !character.is_ascii_digit())
        .next()?;
    digits.parse().ok().filter(|&line| line > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(complaint: &str, line: Option<u32>, message: &str) {
        let told = XsltError::told(XsltErrorKind::Transformation, complaint, "otherwise");
        assert_eq!(
            (told.line, told.message.as_str()),
            (line, message),
            "{complaint}"
        );
    }

    #[test]
    fn a_complaint_becomes_a_line_and_a_sentence_without_data() {
        check("", None, "otherwise");
        check(
            "document:7: parser error : Premature end\n<secret>data\n    ^\n",
            Some(7),
            "Premature end",
        );
        check(
            "runtime error: file stylesheet line 2 element value-of\nVariable 'a' is not there.\nmore\n",
            Some(2),
            "runtime error in value-of: Variable 'a' is not there.",
        );
        check(
            "stopped by the stylesheet\n",
            None,
            "stopped by the stylesheet",
        );
    }
}
