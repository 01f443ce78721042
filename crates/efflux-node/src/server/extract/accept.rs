//! Which of the forms that an answer can have is wanted.

use efflux_flow::storage::remote::wire::ProblemKind;
use http::HeaderMap;
use http::header::ACCEPT;

use super::header::essence;
use crate::server::refusal::{Answer, Refusal};

/// The media type among `offers` that the client likes best; the first one when it does not say.
pub(crate) fn choose(headers: &HeaderMap, offers: &[&'static str]) -> Answer<&'static str> {
    let first = offers.first().copied().unwrap_or_default();
    let mut ranges = Vec::new();
    for value in headers.get_all(ACCEPT) {
        let text = value.to_str();
        let text = text.map_err(|_| Refusal::invalid("header accept is no visible ASCII"))?;
        ranges.extend(text.split(',').map(Range::parse));
    }
    if ranges.is_empty() {
        return Ok(first);
    }
    // The most specific range that fits an offer says how much it is liked.
    let liking = |offer: &str| {
        let fitting = ranges
            .iter()
            .filter_map(|range| Some((range.fits(offer)?, range.liking)));
        fitting
            .max_by_key(|(rank, _)| *rank)
            .map_or(0, |(_, liking)| liking)
    };
    let mut best = (first, 0);
    for offer in offers {
        let liked = liking(offer);
        if liked > best.1 {
            best = (offer, liked);
        }
    }
    match best {
        (_, 0) => Err(Refusal::new(
            ProblemKind::NotAcceptable,
            format!(
                "none of the media types in accept can be given: use {}",
                offers.join(", ")
            ),
        )),
        (offer, _) => Ok(offer),
    }
}

/// One part of `Accept`: which types, and how much they are liked, in thousandths.
struct Range {
    essence: String,
    liking: u32,
}

impl Range {
    fn parse(text: &str) -> Self {
        let parameters = text.split(';').skip(1).map(str::trim);
        let quality = parameters.filter_map(|it| it.strip_prefix("q=")).next();
        let liking = quality.and_then(|quality| quality.trim().parse::<f32>().ok());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is brought between 0 and 1000"
        )]
        let liking = liking.map_or(1000, |liking| (liking.clamp(0.0, 1.0) * 1000.0) as u32);
        Self {
            essence: essence(text),
            liking,
        }
    }

    /// How specifically the range fits; none when it does not.
    fn fits(&self, offer: &str) -> Option<u8> {
        if self.essence == offer {
            return Some(2);
        }
        if self.essence == "*/*" {
            return Some(0);
        }
        let family = self.essence.strip_suffix('*')?;
        (family.ends_with('/') && offer.starts_with(family)).then_some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expect: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        let offers = ["application/json", "application/x-ndjson", "text/plain"];
        assert_eq!(choose(&headers, &offers).ok(), expect, "{accept}");
    }

    #[test]
    fn the_best_liked_form_is_chosen() {
        check("*/*", Some("application/json"));
        check("text/plain", Some("text/plain"));
        check(
            "Application/X-NDJSON; charset=utf-8",
            Some("application/x-ndjson"),
        );
        check("text/*, */*;q=0.1", Some("text/plain"));
        check(
            "application/json;q=0.2, application/*;q=0.9",
            Some("application/x-ndjson"),
        );
        check("application/json;q=0, */*", Some("application/x-ndjson"));
        check("image/png", None);
        check("application/json;q=0", None);
        check("", None);
    }

    #[test]
    fn without_a_wish_the_first_form_is_given() {
        assert_eq!(choose(&HeaderMap::new(), &["a/b", "c/d"]).ok(), Some("a/b"));
    }
}
