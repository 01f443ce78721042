//! Consumers and tickets as they are told.

use std::time::Duration;

use efflux_particle::{ConsumerName, Sequence};
use serde::{Deserialize, Serialize};

use crate::consumer::{ConsumerOptions, ConsumerStatus, Start, Ticket, limits};
use crate::error::{Error, Result};

/// Settings of a consumer. What is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ConsumerSettings {
    /// Milliseconds for which a particle is leased to who received it.
    #[serde(deserialize_with = "super::whole::number")]
    pub lease_ms: u64,
    /// How many particles may be in flight at once.
    #[serde(deserialize_with = "super::whole::number")]
    pub max_in_flight: usize,
    /// After how many deliveries a particle goes to the dead-letter topic; null for never.
    #[serde(deserialize_with = "super::whole::or_null")]
    pub max_deliveries: Option<u32>,
    /// The dead-letter topic; `TOPIC.dead` when left out.
    pub dead_letter: Option<String>,
    /// Where a new consumer begins: `root`, `head`, `sequence=SEQUENCE` or `time=TIME`.
    pub start: String,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self::from(&ConsumerOptions::default())
    }
}

impl From<&ConsumerOptions> for ConsumerSettings {
    fn from(options: &ConsumerOptions) -> Self {
        Self {
            lease_ms: millis(options.lease),
            max_in_flight: options.max_in_flight,
            max_deliveries: options.max_deliveries,
            dead_letter: options.dead_letter.as_ref().map(ToString::to_string),
            start: print_start(options.start),
        }
    }
}

impl ConsumerSettings {
    /// The settings as the store takes them, not yet held against their bounds.
    ///
    /// # Errors
    /// `Invalid` when the start or the name of the dead-letter topic is none.
    pub fn options(&self) -> Result<ConsumerOptions> {
        let options = ConsumerOptions::default()
            .with_lease(Duration::from_millis(self.lease_ms))
            .with_max_in_flight(self.max_in_flight)
            .with_max_deliveries(self.max_deliveries)
            .with_start(parse_start(&self.start)?);
        Ok(match &self.dead_letter {
            Some(topic) => options.with_dead_letter(topic.parse()?),
            None => options,
        })
    }
}

/// Names of consumers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsumerNames {
    /// In ascending order.
    pub consumers: Vec<String>,
}

/// How a consumer stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsumerShown {
    /// Its name.
    pub name: String,
    /// The first particle that is not settled.
    pub position: u64,
    /// The topic's last particle.
    pub head: u64,
    /// How many particles through the head are not settled.
    pub lag: u64,
    /// How many particles are leased.
    pub in_flight: usize,
    /// How many were delivered, came back and wait to be delivered again.
    pub delayed: usize,
    /// How many deliveries there were that were not a particle's first.
    pub redelivered: u64,
    /// How many particles went to the dead-letter topic.
    pub dead_lettered: u64,
    /// How often the consumer was opened; a part of its tickets.
    pub epoch: u32,
    /// Its settings.
    pub settings: ConsumerSettings,
}

impl ConsumerShown {
    /// The status of the consumer with this name.
    #[must_use]
    pub fn new(name: &ConsumerName, status: &ConsumerStatus) -> Self {
        Self {
            name: name.to_string(),
            position: status.position.get(),
            head: status.head.get(),
            lag: status.lag,
            in_flight: status.in_flight,
            delayed: status.delayed,
            redelivered: status.redelivered,
            dead_lettered: status.dead_lettered,
            epoch: status.epoch,
            settings: ConsumerSettings::from(&status.options),
        }
    }

    /// The status as the store tells it.
    ///
    /// # Errors
    /// As for [`ConsumerSettings::options`].
    pub fn status(&self) -> Result<ConsumerStatus> {
        Ok(ConsumerStatus {
            position: Sequence::new(self.position),
            head: Sequence::new(self.head),
            lag: self.lag,
            in_flight: self.in_flight,
            delayed: self.delayed,
            redelivered: self.redelivered,
            dead_lettered: self.dead_lettered,
            epoch: self.epoch,
            options: self.settings.options()?,
        })
    }
}

/// Asks for deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Receive {
    /// How many at most.
    #[serde(deserialize_with = "super::whole::number")]
    pub max: usize,
    /// Milliseconds to wait for the first.
    #[serde(deserialize_with = "super::whole::number")]
    pub wait_ms: u64,
}

impl Default for Receive {
    fn default() -> Self {
        Self { max: 1, wait_ms: 0 }
    }
}

/// What stands before the frames of deliveries, in one line: a ticket and a count for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveriesHead {
    /// The ticket of each particle.
    pub tickets: Vec<String>,
    /// How often each was delivered, this time included.
    pub deliveries: Vec<u32>,
}

/// Tickets to settle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Tickets {
    /// As they were received.
    pub tickets: Vec<String>,
}

/// Tickets to give back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// As they were received.
    pub tickets: Vec<String>,
    /// Milliseconds after which they are delivered again.
    #[serde(default, deserialize_with = "super::whole::number")]
    pub delay_ms: u64,
}

/// Tickets whose leases shall end later, or sooner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// As they were received.
    pub tickets: Vec<String>,
    /// Milliseconds from the moment of the request to the end of the leases.
    #[serde(deserialize_with = "super::whole::number")]
    pub by_ms: u64,
}

/// Where to move a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Seek {
    /// `root`, `head`, `sequence=SEQUENCE` or `time=TIME`.
    pub to: String,
}

impl Seek {
    /// The place.
    ///
    /// # Errors
    /// `Invalid` when the text is none.
    pub fn start(&self) -> Result<Start> {
        parse_start(&self.to)
    }
}

impl Tickets {
    /// Reads tickets.
    ///
    /// # Errors
    /// `Invalid` for the first text that is none, and when there are more than a consumer can have
    /// open.
    pub fn parse(texts: &[String]) -> Result<Vec<Ticket>> {
        if texts.len() > limits::OPEN_MAX {
            return Err(Error::invalid(format!(
                "{} tickets are more than a consumer can have: settle at most {} at once",
                texts.len(),
                limits::OPEN_MAX
            )));
        }
        texts.iter().map(|text| text.parse()).collect()
    }
}

/// The text of a place to start at.
#[must_use]
pub fn print_start(start: Start) -> String {
    match start {
        Start::Root => "root".to_owned(),
        Start::Head => "head".to_owned(),
        Start::Sequence(sequence) => format!("sequence={sequence}"),
        Start::Time(time) => format!("time={time}"),
    }
}

fn parse_start(text: &str) -> Result<Start> {
    let start = match text.split_once('=') {
        None if text == "root" => Some(Start::Root),
        None if text == "head" => Some(Start::Head),
        Some(("sequence", place)) => place.parse().ok().map(Start::Sequence),
        Some(("time", time)) => time.parse().ok().map(Start::Time),
        _ => None,
    };
    start.ok_or_else(|| {
        let shown: String = text.chars().take(80).collect();
        Error::invalid(format!(
            "{shown:?} is no place to start at: use root, head, sequence=SEQUENCE or time=TIME"
        ))
    })
}

/// Whole milliseconds, rounded up, so that no lease becomes shorter by being told.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back() {
        let options = ConsumerOptions::default()
            .with_lease(Duration::from_millis(1500))
            .with_max_deliveries(None)
            .with_dead_letter("failed".parse().unwrap());
        for start in ["root", "head", "sequence=7", "time=2026-01-01T00:00:00Z"] {
            let options = options.clone().with_start(parse_start(start).unwrap());
            let settings = ConsumerSettings::from(&options);
            let text = serde_json::to_string(&settings).unwrap();
            let back: ConsumerSettings = serde_json::from_str(&text).unwrap();
            assert_eq!(back.options().unwrap(), options);
        }
    }

    #[test]
    fn what_is_left_out_has_its_default_and_null_means_never() {
        let settings: ConsumerSettings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings.options().unwrap(), ConsumerOptions::default());
        let endless: ConsumerSettings = serde_json::from_str("{\"max_deliveries\":null}").unwrap();
        assert_eq!(endless.options().unwrap().max_deliveries, None);
        assert!(serde_json::from_str::<ConsumerSettings>("{\"lease\":1}").is_err());
    }

    #[test]
    fn other_places_are_refused() {
        for text in [
            "",
            "tail",
            "sequence=",
            "sequence=-1",
            "time=noon",
            "root=1",
        ] {
            assert!(parse_start(text).is_err(), "{text}");
        }
    }
}
