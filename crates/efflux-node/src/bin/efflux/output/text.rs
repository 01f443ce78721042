//! Particles as lines for people.

use std::env;
use std::io::{self, IsTerminal, Stdout, Write};

use anstyle::{AnsiColor, Reset, Style as Colour};
use efflux_node::particle::{ContentEncoding, Particle, Timestamp};
use jiff::Unit;

use super::{Shown, content};

/// The width of a terminal that does not tell its own.
const COLUMNS_DEFAULT: usize = 120;
/// A payload keeps at least this many characters, however long what stands before it.
const PAYLOAD_CHARS_MIN: usize = 20;

/// How lines look: with colours or not, and how wide they may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    has_colours: bool,
    columns_max: Option<usize>,
}

impl Style {
    /// Colours and shortening are for terminals; what is piped on is whole and plain.
    pub(super) fn of(stdout: &Stdout) -> Self {
        let is_terminal = stdout.is_terminal();
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        let columns = env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok());
        Self {
            has_colours: is_terminal && !no_color && !is_dumb,
            columns_max: is_terminal.then(|| columns.unwrap_or(COLUMNS_DEFAULT)),
        }
    }

    fn paint(self, text: &str, colour: Colour) -> String {
        match self.has_colours {
            true => format!("{colour}{text}{Reset}"),
            false => text.to_owned(),
        }
    }
}

const DIM: Colour = Colour::new().dimmed();
const TYPE: Colour = AnsiColor::Cyan.on_default();
const PLACE: Colour = AnsiColor::Yellow.on_default();

/// One line: sequence, time, type, group, properties, payload.
pub(super) fn line(
    out: &mut impl Write,
    style: Style,
    particle: &Particle,
    shown: Shown<'_>,
) -> io::Result<()> {
    let metadata = particle.metadata();
    let sequence = format!("{:>8}", particle.sequence());
    let time = millis(metadata.timestamp());
    let data_type = format!("{:<16}", escaped(metadata.data_type().unwrap_or("-")));
    let group = format!("{:<12}", escaped(metadata.message_group().unwrap_or("-")));
    let mut properties = String::new();
    for (name, value) in metadata.properties() {
        properties.push_str(&format!("  {}={}", escaped(name), escaped(value)));
    }
    if let Some(deliveries) = shown.deliveries.filter(|deliveries| *deliveries > 1) {
        properties.push_str(&format!("  (delivery {deliveries})"));
    }
    let used = [&sequence, &time, &data_type, &group, &properties]
        .map(|part| part.chars().count() + 2)
        .into_iter()
        .sum::<usize>();
    let payload = String::from_utf8_lossy(&content(particle)).into_owned();
    let payload = escaped(&payload);
    let payload = match style.columns_max {
        Some(max) => shortened(&payload, max.saturating_sub(used).max(PAYLOAD_CHARS_MIN)),
        None => payload,
    };
    writeln!(
        out,
        "{}  {}  {}  {}{}  {payload}",
        style.paint(&sequence, PLACE),
        style.paint(&time, DIM),
        style.paint(&data_type, TYPE),
        group,
        properties,
    )
}

/// Everything that is known of a particle, one field a line, then its payload.
pub(super) fn whole(
    out: &mut impl Write,
    style: Style,
    particle: &Particle,
    shown: Shown<'_>,
) -> io::Result<()> {
    let metadata = particle.metadata();
    let mut field = |name: &str, value: &str| {
        writeln!(
            out,
            "{}  {}",
            style.paint(&format!("{name:<18}"), DIM),
            escaped(value)
        )
    };
    field("topic", shown.topic.as_str())?;
    field("sequence", &particle.sequence().to_string())?;
    field("id", &metadata.id().to_string())?;
    field("timestamp", &metadata.timestamp().to_string())?;
    field("created", &metadata.created().to_string())?;
    for (name, value) in [
        ("data_type", metadata.data_type()),
        ("content_type", metadata.content_type()),
        (
            "content_encoding",
            metadata.content_encoding().map(ContentEncoding::as_str),
        ),
        ("message_group", metadata.message_group()),
    ] {
        if let Some(value) = value {
            field(name, value)?;
        }
    }
    for (name, value) in metadata.properties() {
        field(&format!("properties.{name}"), value)?;
    }
    field("fingerprint", &particle.fingerprint().to_string())?;
    if let Some(linked) = metadata.linked_fingerprint() {
        field("linked_fingerprint", &linked.to_string())?;
    }
    field("payload_hash", &metadata.payload_hash().to_string())?;
    field("payload", &format!("{} bytes", particle.payload().len()))?;
    let content = content(particle);
    if !content.is_empty() {
        let text = String::from_utf8_lossy(&content);
        for line in text.lines() {
            writeln!(out, "{}", escaped(line))?;
        }
    }
    Ok(())
}

/// The time to the millisecond, so that columns stay aligned.
fn millis(time: Timestamp) -> String {
    let moment = jiff::Timestamp::from_nanosecond(i128::from(time.nanos()));
    let rounded = moment.and_then(|moment| {
        moment.round(
            jiff::TimestampRound::new()
                .smallest(Unit::Millisecond)
                .mode(jiff::RoundMode::Trunc),
        )
    });
    match rounded {
        Ok(moment) => format!("{moment:.3}"),
        Err(_) => time.to_string(),
    }
}

/// The text with everything escaped that would break the line or steer the terminal.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control()
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
    }
    plain
}

fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => text
            .chars()
            .take(chars_max.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

/// A number with a comma between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let lead = digits.len() % 3;
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == lead {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes as megabytes, with as many decimals as are worth reading.
pub(crate) fn megabytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..1_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12345, "12,345"),
            (1234567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(megabytes(9_999), "9999 bytes");
        assert_eq!(megabytes(12_345_678), "12.3 MB");
    }

    #[test]
    fn nothing_in_a_payload_steers_the_terminal() {
        assert_eq!(escaped("a\n\x1b[31mé\u{202e}"), "a\\n\\u{1b}[31mé\\u{202e}");
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("abcd", 4), "abcd");
    }

    #[test]
    fn times_have_milliseconds() {
        let time: Timestamp = "2026-01-02T03:04:05.9999Z".parse().unwrap();
        assert_eq!(millis(time), "2026-01-02T03:04:05.999Z");
        assert_eq!(
            millis("2026-01-02".parse().unwrap()),
            "2026-01-02T00:00:00.000Z"
        );
    }
}
