//! What must hold for an append to happen, as a text.

use efflux_particle::Sequence;

use crate::error::{Error, Result};
use crate::expect::Expect;

/// What is understood, for errors.
const GRAMMAR: &str = "use any, empty, head=SEQUENCE:FINGERPRINT, group=SEQUENCE;GROUP, \
                       group=none;GROUP, or no-match-after=SEQUENCE;QUERY";

/// The text of an expectation.
#[must_use]
pub fn print_expect(expect: &Expect) -> String {
    match expect {
        Expect::Any => "any".to_owned(),
        Expect::Empty => "empty".to_owned(),
        Expect::Head(head) => format!("head={head}"),
        Expect::Group { group, last } => match last {
            Some(last) => format!("group={last};{group}"),
            None => format!("group=none;{group}"),
        },
        Expect::NoMatch { query, after } => format!("no-match-after={after};{query}"),
    }
}

/// Reads the text of an expectation.
///
/// # Errors
/// `Invalid`, with what is understood.
pub fn parse_expect(text: &str) -> Result<Expect> {
    let refuse = |why: &str| {
        let shown: String = text.chars().take(80).collect();
        Error::invalid(format!("expectation {shown:?}: {why}; {GRAMMAR}"))
    };
    let place = |text: &str| -> Result<Sequence> {
        text.parse().map_err(|_| refuse("that is no sequence"))
    };
    let parts = |rest: &'_ str| -> Result<(String, String)> {
        let (place, rest) = rest
            .split_once(';')
            .ok_or_else(|| refuse("it has no `;`"))?;
        Ok((place.to_owned(), rest.to_owned()))
    };
    match text.split_once('=') {
        None if text == "any" => Ok(Expect::Any),
        None if text == "empty" => Ok(Expect::Empty),
        Some(("head", head)) => {
            let head = head.parse();
            Ok(Expect::Head(head.map_err(|_| refuse("that is no head"))?))
        }
        Some(("group", rest)) => {
            let (last, group) = parts(rest)?;
            let last = match last.as_str() {
                "none" => None,
                last => Some(place(last)?),
            };
            Ok(Expect::Group { group, last })
        }
        Some(("no-match-after", rest)) => {
            let (after, query) = parts(rest)?;
            let query = query.parse().map_err(|error| refuse(&format!("{error}")))?;
            let after = place(&after)?;
            Ok(Expect::NoMatch { query, after })
        }
        _ => Err(refuse("it is unknown")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expectation_reads_back_what_it_prints() {
        let head = format!("7:{}", "ab".repeat(32)).parse().unwrap();
        let query = "type = 'a;b' and group = \"c=d\"".parse().unwrap();
        let group = "a;b=c".to_owned();
        for expect in [
            Expect::Any,
            Expect::Empty,
            Expect::Head(head),
            Expect::Group {
                group: group.clone(),
                last: Some(Sequence::new(7)),
            },
            Expect::Group { group, last: None },
            Expect::NoMatch {
                query,
                after: Sequence::new(3),
            },
        ] {
            assert_eq!(parse_expect(&print_expect(&expect)).unwrap(), expect);
        }
    }

    #[test]
    fn other_texts_are_refused_and_say_why() {
        for (text, why) in [
            ("", "unknown"),
            ("soon", "unknown"),
            ("any=1", "unknown"),
            ("head=7", "no head"),
            ("group=7", "no `;`"),
            ("group=x;g", "no sequence"),
            ("no-match-after=7;typ = a", "typ"),
        ] {
            let error = parse_expect(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
