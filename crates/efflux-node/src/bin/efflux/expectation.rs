//! What `--expect` says.

use efflux_node::particle::Sequence;
use efflux_node::storage::{Expect, Query};

use crate::exit::Failure;

/// What is understood, for errors and help.
pub(crate) const GRAMMAR: &str = "any, empty, head=SEQUENCE:FINGERPRINT, group=SEQUENCE, \
                                  group=none, or no-match-after=SEQUENCE with --expect-query";

/// Reads the value of `--expect`, with what stands beside it.
pub(crate) fn parse(
    text: &str,
    group: Option<&str>,
    query: Option<&str>,
) -> Result<Expect, Failure> {
    let refuse = |why: &str| {
        Failure::usage(format!("--expect {text:?}: {why}")).with_try(format!("--expect {GRAMMAR}"))
    };
    if query.is_some() && !text.starts_with("no-match-after=") {
        return Err(refuse("--expect-query goes with no-match-after=SEQUENCE"));
    }
    let sequence = |text: &str| -> Result<Sequence, Failure> {
        text.parse()
            .map_err(|_| refuse(&format!("{text:?} is no sequence")))
    };
    if let Some(last) = text.strip_prefix("group=") {
        let group = group
            .ok_or_else(|| refuse("name the group with --group"))?
            .to_owned();
        let last = if last == "none" {
            None
        } else {
            Some(sequence(last)?)
        };
        return Ok(Expect::Group { group, last });
    }
    if let Some(after) = text.strip_prefix("no-match-after=") {
        let query = query.ok_or_else(|| refuse("it needs --expect-query 'QUERY'"))?;
        return Ok(Expect::NoMatch {
            query: self::query(query)?,
            after: sequence(after)?,
        });
    }
    if let Some(head) = text.strip_prefix("head=") {
        let head = head.parse().map_err(|error| refuse(&format!("{error}")))?;
        return Ok(Expect::Head(head));
    }
    match text {
        "any" => Ok(Expect::Any),
        "empty" => Ok(Expect::Empty),
        _ => Err(refuse("it is unknown")),
    }
}

/// Reads a query; an error shows the place.
pub(crate) fn query(text: &str) -> Result<Query, Failure> {
    text.parse::<Query>()
        .map_err(|error| Failure::usage(format!("query: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, group: Option<&str>, query: Option<&str>, expect: &str) {
        let found = match parse(text, group, query) {
            Ok(expect) => format!("{expect:?}"),
            Err(failure) => failure.what().to_owned(),
        };
        assert!(found.contains(expect), "{text}: {found}");
    }

    #[test]
    fn every_expectation_can_be_written() {
        check("any", None, None, "Any");
        check("empty", None, None, "Empty");
        check(
            &format!("head=7:{}", "ab".repeat(32)),
            None,
            None,
            "Head(Head",
        );
        check(
            "group=7",
            Some("g"),
            None,
            "Group { group: \"g\", last: Some(Sequence(7)) }",
        );
        check("group=none", Some("g"), None, "last: None");
        check(
            "no-match-after=7",
            None,
            Some("type = a"),
            "after: Sequence(7)",
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        check("soon", None, None, "it is unknown");
        check("head=7", None, None, "--expect \"head=7\"");
        check("group=7", None, None, "--group");
        check("group=x", Some("g"), None, "\"x\" is no sequence");
        check("no-match-after=7", None, None, "--expect-query");
        check("no-match-after=7", None, Some("typ = a"), "^");
        check("any", None, Some("type = a"), "goes with no-match-after");
    }
}
