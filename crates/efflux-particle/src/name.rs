//! Names of topics and consumers.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::limits::NAME_BYTES_MAX;

/// Why a text cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a {what} name must not be empty")]
    Empty {
        /// What was to be named.
        what: &'static str,
    },
    /// The text is too long.
    #[error("this {what} name has {bytes} bytes, at most {NAME_BYTES_MAX} are allowed")]
    TooLong {
        /// What was to be named.
        what: &'static str,
        /// The text's length.
        bytes: usize,
    },
    /// The text holds a character that no name may have.
    #[error(
        "{what} name {text:?} has {character:?} at byte {at}: use letters, digits, `.`, `_` and `-`"
    )]
    Character {
        /// What was to be named.
        what: &'static str,
        /// The text.
        text: String,
        /// The first character that is refused.
        character: char,
        /// Where it stands.
        at: usize,
    },
    /// The text begins or ends with a dot or hyphen, or has two dots in a row.
    #[error("{what} name {text:?} {problem}")]
    Shape {
        /// What was to be named.
        what: &'static str,
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

fn check(what: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong {
            what,
            bytes: text.len(),
        });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if let Some((at, character)) = text.char_indices().find(|(_, c)| !allowed(*c)) {
        return Err(NameError::Character {
            what,
            text: text.to_owned(),
            character,
            at,
        });
    }
    let shape = |problem| {
        Err(NameError::Shape {
            what,
            text: text.to_owned(),
            problem,
        })
    };
    if text.contains("..") {
        return shape("has two dots in a row");
    }
    if text.starts_with(['.', '-']) {
        return shape("begins with a dot or hyphen");
    }
    if text.ends_with('.') {
        return shape("ends with a dot");
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check($what, text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// The name of a topic.
    ///
    /// - 1 to [`NAME_BYTES_MAX`] bytes of ASCII letters, digits, `.`, `_` and `-`
    /// - begins with a letter, digit or `_`, does not end with `.`, has no two dots in a row
    ///
    /// ```
    /// use efflux_particle::TopicName;
    ///
    /// assert!("orders.eu-1".parse::<TopicName>().is_ok());
    /// assert!("../orders".parse::<TopicName>().is_err());
    /// ```
    TopicName, "topic"
}

name! {
    /// The name of a consumer, under the same rules as a [`TopicName`].
    ConsumerName, "consumer"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_accepted() {
        for text in [
            "a",
            "orders",
            "orders.eu-1",
            "_audit",
            "A_9",
            &"x".repeat(NAME_BYTES_MAX),
        ] {
            assert_eq!(text.parse::<TopicName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn names_that_could_leave_a_folder_or_break_a_line_are_refused() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for text in [
            "", ".", "..", "a/b", "a\\b", "../a", "a..b", "a.", ".a", "-a", "a b", "a\n", "a\0",
            "ä", "a:b", &long,
        ] {
            let error = text.parse::<TopicName>().unwrap_err().to_string();
            assert!(error.contains("topic name"), "{text:?}: {error}");
        }
    }
}
