//! Values of headers.

use efflux_flow::storage::remote::wire::decode_text;
use http::HeaderMap;

use crate::server::refusal::{Answer, Refusal};

/// The value of a header that stands at most once, percent-decoded.
pub(crate) fn one(headers: &HeaderMap, name: &str) -> Answer<Option<String>> {
    plain(headers, name)?
        .map(|text| decode_text(text).map_err(|error| Refusal::invalid(format!("{name}: {error}"))))
        .transpose()
}

/// The value of a header that stands at most once, as it is.
pub(crate) fn plain<'a>(headers: &'a HeaderMap, name: &str) -> Answer<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::invalid(format!(
            "header {name} stands twice: send it once"
        )));
    }
    let text = value.to_str().map_err(|_| {
        Refusal::invalid(format!(
            "header {name} holds more than visible ASCII: percent-encode it"
        ))
    })?;
    Ok(Some(text))
}

/// A media type without its parameters, in lower case.
pub(crate) fn essence(media_type: &str) -> String {
    let name = media_type.split(';').next().unwrap_or_default();
    name.trim().to_ascii_lowercase()
}
