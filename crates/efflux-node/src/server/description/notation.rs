//! How texts are written, as regular expressions of JSON Schema, made from the bounds of what reads
//! them.
//!
//! They use only what the dialects of JavaScript, Python and Rust share. A test holds each against the
//! parser that it describes.

use efflux_flow::particle::limits::{ID_BYTES_MAX, TERM_BYTES_MAX};

/// A character that is no control character.
const VISIBLE: &str = r"[^\x00-\x1f\x7f-\x9f]";

/// A fingerprint or another SHA-256.
const HASH: &str = "[0-9a-fA-F]{64}";

/// A character of a header's value: visible ASCII, or a percent sign with a byte, as UTF-8.
const HEADER_CHARACTER: &str = "(?:[!-$&-~]|%(?:[2-6][0-9a-fA-F]|7[0-9a-eA-E])\
     |%(?:[cC][3-9a-fA-F]|[dD][0-9a-fA-F])%[89abAB][0-9a-fA-F]\
     |%[eE][1-9a-cA-C](?:%[89abAB][0-9a-fA-F]){2})";

/// The whole text.
pub(super) fn whole(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}

/// Whole numbers from 0 to `max`, without leading zeros.
pub(super) fn up_to(max: u64) -> String {
    let digits: Vec<u8> = max.to_string().bytes().map(|byte| byte - b'0').collect();
    let mut ways = vec!["0".to_owned()];
    if digits.len() > 1 {
        ways.push(format!("[1-9][0-9]{{0,{}}}", digits.len() - 2));
    }
    let mut before = String::new();
    for (at, digit) in digits.iter().enumerate() {
        let least = u8::from(at == 0);
        if let Some(below) = digit.checked_sub(1).filter(|below| *below >= least) {
            let rest = digits.len() - at - 1;
            ways.push(format!("{before}[{least}-{below}][0-9]{{{rest}}}"));
        }
        before.push(char::from(b'0' + digit));
    }
    ways.push(before);
    format!("(?:{})", ways.join("|"))
}

/// Whole numbers from 1 to `max`, without leading zeros.
fn from_1_to(max: u64) -> String {
    up_to(max).replacen("(?:0|", "(?:", 1)
}

/// The name of a topic or a consumer; its length is bounded apart.
pub(super) fn name() -> String {
    // Dots stand alone, and neither first nor last.
    r"[A-Za-z0-9_](?:\.?[A-Za-z0-9_-])*".to_owned()
}

/// A text without control characters, of 1 to so many characters.
fn visible(characters_max: usize) -> String {
    format!("{VISIBLE}{{1,{characters_max}}}")
}

/// The id of a message.
pub(super) fn id() -> String {
    visible(ID_BYTES_MAX)
}

/// A data type, a media type, a message group.
pub(super) fn term() -> String {
    visible(TERM_BYTES_MAX)
}

/// A text in a header, of 1 to so many characters.
pub(super) fn in_header(characters_max: usize) -> String {
    let between = characters_max - 2;
    format!("{HEADER_CHARACTER}(?:(?:{HEADER_CHARACTER}| ){{0,{between}}}{HEADER_CHARACTER})?")
}

pub(super) fn fingerprint() -> String {
    HASH.to_owned()
}

/// `SEQUENCE:FINGERPRINT`.
pub(super) fn head() -> String {
    format!("{}:{HASH}", up_to(u64::MAX))
}

/// `SEQUENCE@EPOCH.ATTEMPT`.
pub(super) fn ticket() -> String {
    let (sequence, epoch) = (up_to(u64::MAX), up_to(u32::MAX.into()));
    format!(r"{sequence}@{epoch}\.{sequence}")
}

/// Base64 with padding, of which every text means other bytes.
pub(super) fn base64() -> String {
    "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?".to_owned()
}

/// RFC 3339, or a date alone, of the years that a particle can tell.
pub(super) fn time() -> String {
    let year = "(?:167[89]|16[89][0-9]|1[7-9][0-9]{2}|2[01][0-9]{2}|22[0-5][0-9]|226[01])";
    let day = "(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)\
               |(?:0[13578]|1[02])-31)";
    let leap = "(?:(?:16(?:8[048]|9[26])|(?:1[789]|2[01])(?:0[48]|[2468][048]|[13579][26])|2000\
                |22(?:0[48]|[24][048]|[135][26]|60))-02-29)";
    let clock = "(?:[01][0-9]|2[0-3]):[0-5][0-9]";
    format!(
        r"(?:{year}-{day}|{leap})(?:[Tt ]{clock}:[0-5][0-9](?:\.[0-9]{{1,9}})?(?:[Zz]|[+-]{clock}))?"
    )
}

/// Where a consumer begins.
pub(super) fn start() -> String {
    format!("root|head|sequence={}|time={}", up_to(u64::MAX), time())
}

/// When an append counts as done: an interval is a millisecond to an hour.
pub(super) fn sync() -> String {
    let (millis, seconds) = (from_1_to(3_600_000), from_1_to(3600));
    format!("always|os|{millis}ms|{seconds}s|[1-9][0-9]{{3,8}}us")
}

/// A query whose parentheses, if any, stand around lists.
pub(super) fn query() -> String {
    conditions(r#"[^"\\\x00-\x1f\x7f-\x9f]"#)
}

/// What must hold for an append, as it stands in a header.
pub(super) fn expectation() -> String {
    let (sequence, group) = (up_to(u64::MAX), in_header(TERM_BYTES_MAX));
    let query = conditions(r"[ !#$&-\[\]-~]");
    format!(
        "any|empty|head={}|group=(?:none|{sequence});{group}|no-match-after={sequence};{query}",
        head()
    )
}

/// Conditions with `and` and `or` between them, in whose texts such characters stand.
fn conditions(character: &str) -> String {
    let word = "[0-9][A-Za-z0-9_.-]{0,62}";
    let id = format!("(?:\"{character}{{1,63}}\"|{word})");
    let property = r"properties\.[A-Za-z0-9_-]{1,64}";
    let texts = format!("(?:type|data_type|content_type|group|message_group|{property})");
    let (number, moment) = (up_to(u64::MAX), time());
    let text = format!("(?:\"{character}*\"|{word})");
    let (order, listed) = ("(?:==?|!=|<=?|>=?)", "(?:not +)?in");
    let each = [
        format!(r"{texts} *(?:==?|!=|\^=) *{text}"),
        format!(r"{texts} +{listed} *\( *{text}(?: *, *{text}){{0,9}} *\)"),
        format!(r"id +{listed} *\( *{id}(?: *, *{id}){{0,9}} *\)"),
        format!("id *(?:==?|!=) *{id}"),
        format!("sequence *{order} *{number}"),
        format!("(?:timestamp|created) *{order} *{moment}"),
        "content_encoding *(?:==?|!=) *(?:gzip|zstd)".to_owned(),
        format!("(?:{texts}|id|sequence|timestamp|created|content_encoding) +(?:not +)?exists"),
        "true|false".to_owned(),
    ];
    let one = format!("(?:not +)?(?:{})", each.join("|"));
    format!("(?:{one}(?: +(?:and|or) +{one}){{0,9}})?")
}

#[cfg(test)]
mod tests;
