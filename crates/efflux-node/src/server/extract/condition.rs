//! What must hold for an append to happen.

use efflux_flow::particle::Head;
use efflux_flow::storage::Expect;
use efflux_flow::storage::remote::wire::{EXPECT_HEADER, ProblemKind, parse_expect};
use http::HeaderMap;
use http::header::IF_MATCH;

use super::header::{one, plain};
use crate::server::refusal::{Answer, Refusal};

/// What must hold for an append to happen, and how it was said.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) expect: Expect,
    /// Whether it was said with `If-Match`.
    pub(crate) is_precondition: bool,
}

impl Condition {
    /// The refusal as it answers to the way in which the condition was said.
    pub(crate) fn refused(&self, refusal: Refusal) -> Refusal {
        match self.is_precondition && refusal.kind() == ProblemKind::Conflict {
            true => refusal.with_kind(ProblemKind::PreconditionFailed),
            false => refusal,
        }
    }
}

/// Reads the condition of an append.
pub(crate) fn condition(headers: &HeaderMap) -> Answer<Condition> {
    let expectation = one(headers, EXPECT_HEADER)?;
    let precondition = plain(headers, IF_MATCH.as_str())?;
    if let Some(tag) = precondition.filter(|tag| tag.trim() != "*") {
        if expectation.is_some() {
            return Err(Refusal::invalid(format!(
                "send either if-match or {EXPECT_HEADER}"
            )));
        }
        return Ok(Condition {
            expect: Expect::Head(head(tag)?),
            is_precondition: true,
        });
    }
    let expect = expectation.map(|text| parse_expect(&text)).transpose()?;
    Ok(Condition {
        expect: expect.unwrap_or_default(),
        is_precondition: false,
    })
}

fn head(tag: &str) -> Answer<Head> {
    let quoted = tag
        .trim()
        .strip_prefix('"')
        .and_then(|tag| tag.strip_suffix('"'));
    let head = quoted.and_then(|head| head.parse().ok());
    head.ok_or_else(|| {
        Refusal::invalid(
            "if-match: send one head in quotes, as \"SEQUENCE:FINGERPRINT\", which the header \
             etag of the route …/head tells",
        )
    })
}
