//! A topic that is sent to be restored: lines of JSON, and frames behind those that announce them.

use efflux_particle::{ConsumerName, Head, Sequence};
use serde::{Deserialize, Serialize};

use super::consumer::ConsumerSettings;
use super::topic::TopicSettings;
use crate::consumer::ConsumerState;
use crate::error::{Error, Result};

/// One line of a topic that is sent to be restored. `settings` comes first and once, `head` last;
/// what ends without it was cut off, and leaves no topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RestorationLine {
    /// How the topic is made.
    Settings(TopicSettings),
    /// So many bytes of whole frames follow the line's end, and continue those before.
    Frames(usize),
    /// A consumer that the topic gets.
    Consumer(ConsumerStateShown),
    /// What the topic's head must be: `SEQUENCE:FINGERPRINT`.
    Head(String),
}

/// What of a consumer outlives its workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConsumerStateShown {
    /// Its name.
    pub name: String,
    /// The first particle that is not settled.
    pub position: u64,
    /// What is settled above the position: the first place of each range and the place behind it.
    pub settled: Vec<(u64, u64)>,
    /// How often the consumer was opened; a part of its tickets.
    pub epoch: u32,
    /// How many deliveries there were that were not a particle's first.
    pub redelivered: u64,
    /// How many particles went to the dead-letter topic.
    pub dead_lettered: u64,
    /// Its settings.
    pub settings: ConsumerSettings,
}

impl RestorationLine {
    /// The line with its end.
    #[must_use]
    pub fn print(&self) -> Vec<u8> {
        // None of its values can fail to be written.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// Reads a line without its end.
    ///
    /// # Errors
    /// `Invalid` when it is none.
    pub fn parse(line: &[u8]) -> Result<Self> {
        serde_json::from_slice(line)
            .map_err(|error| Error::invalid(format!("a line of the restoration: {error}")))
    }

    /// The line that says what the head must be.
    #[must_use]
    pub fn head(head: Head) -> Self {
        Self::Head(head.to_string())
    }
}

impl ConsumerStateShown {
    /// The state of the consumer with this name.
    #[must_use]
    pub fn new(name: &ConsumerName, state: &ConsumerState) -> Self {
        let places = |(first, end): &(Sequence, Sequence)| (first.get(), end.get());
        Self {
            name: name.to_string(),
            position: state.position.get(),
            settled: state.settled.iter().map(places).collect(),
            epoch: state.epoch,
            redelivered: state.redelivered,
            dead_lettered: state.dead_lettered,
            settings: ConsumerSettings::from(&state.options),
        }
    }

    /// The state as the store takes it, not yet held against the topic.
    ///
    /// # Errors
    /// `Invalid` when a name or a place is none.
    pub fn state(&self) -> Result<(ConsumerName, ConsumerState)> {
        let places = |(first, end): &(u64, u64)| (Sequence::new(*first), Sequence::new(*end));
        let state = ConsumerState {
            position: Sequence::new(self.position),
            settled: self.settled.iter().map(places).collect(),
            epoch: self.epoch,
            redelivered: self.redelivered,
            dead_lettered: self.dead_lettered,
            options: self.settings.options()?,
        };
        Ok((self.name.parse()?, state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::ConsumerOptions;

    #[test]
    fn a_state_comes_back_and_lines_are_one_each() {
        let name: ConsumerName = "billing".parse().unwrap();
        let state = ConsumerState {
            position: Sequence::new(7),
            settled: vec![(Sequence::new(9), Sequence::new(12))],
            epoch: 3,
            redelivered: 1,
            dead_lettered: 2,
            options: ConsumerOptions::default(),
        };
        let line = RestorationLine::Consumer(ConsumerStateShown::new(&name, &state)).print();
        assert_eq!(
            line.iter().position(|byte| *byte == b'\n'),
            Some(line.len() - 1)
        );
        let RestorationLine::Consumer(shown) = RestorationLine::parse(line.trim_ascii()).unwrap()
        else {
            unreachable!("it was printed as a consumer");
        };
        assert_eq!(shown.state().unwrap(), (name, state));
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for line in [
            "",
            "{}",
            "{\"frames\":-1}",
            "{\"frames\":1,\"head\":\"\"}",
            "{\"frame\":1}",
            "{\"settings\":{\"sinc\":1}}",
            "\u{0}",
        ] {
            assert!(RestorationLine::parse(line.as_bytes()).is_err(), "{line}");
        }
    }
}
