//! Settings of a consumer.

use std::time::Duration;

use efflux_particle::{Sequence, Timestamp, TopicName};

use super::limits::{
    LEASE_DEFAULT, LEASE_MAX, LEASE_MIN, MAX_DELIVERIES_DEFAULT, MAX_IN_FLIGHT_DEFAULT,
    MAX_IN_FLIGHT_MAX,
};
use crate::error::{Error, ErrorKind, Result};

/// What the name of a dead-letter topic ends with, unless another one is set.
const DEAD_LETTER_SUFFIX: &str = ".dead";

/// Where a new consumer begins, or where one is moved to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the first message of the topic.
    #[default]
    Root,
    /// With the first message that is appended from now on.
    Head,
    /// With the particle at this place, which must not lie further on than the next append.
    Sequence(Sequence),
    /// With the first particle that entered Efflux at that time or later.
    Time(Timestamp),
}

/// Settings of a consumer, kept with it. Opening it anew sets them anew.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerOptions {
    /// How long a particle is leased to who received it: 90 s, from 1 ms to 7 days.
    pub lease: Duration,
    /// How many particles may be in flight at once: 1000, from 1 to 65,536.
    pub max_in_flight: usize,
    /// After how many deliveries without a commit a particle goes to the dead-letter topic: 10.
    /// None means that it is delivered again without end.
    pub max_deliveries: Option<u32>,
    /// The dead-letter topic; `<topic>.dead` when none is set. It is made when it is needed.
    pub dead_letter: Option<TopicName>,
    /// Where the consumer begins. It only matters when the consumer is new.
    pub start: Start,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            lease: LEASE_DEFAULT,
            max_in_flight: MAX_IN_FLIGHT_DEFAULT,
            max_deliveries: Some(MAX_DELIVERIES_DEFAULT),
            dead_letter: None,
            start: Start::Root,
        }
    }
}

impl ConsumerOptions {
    /// Sets how long a particle is leased.
    #[must_use]
    pub const fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how many particles may be in flight at once.
    #[must_use]
    pub const fn with_max_in_flight(mut self, max_in_flight: usize) -> Self {
        self.max_in_flight = max_in_flight;
        self
    }

    /// Sets after how many deliveries a particle is dead-lettered; none for never.
    #[must_use]
    pub const fn with_max_deliveries(mut self, max_deliveries: Option<u32>) -> Self {
        self.max_deliveries = max_deliveries;
        self
    }

    /// Sets the dead-letter topic.
    #[must_use]
    pub fn with_dead_letter(mut self, topic: TopicName) -> Self {
        self.dead_letter = Some(topic);
        self
    }

    /// Sets where the consumer begins when it is new.
    #[must_use]
    pub const fn with_start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Tells whether every setting is within its bounds.
    ///
    /// # Errors
    /// `Invalid` with the first that is not.
    pub fn check(&self) -> Result<()> {
        check_time("a lease", self.lease, LEASE_MIN)?;
        if !(1..=MAX_IN_FLIGHT_MAX).contains(&self.max_in_flight) {
            return Err(Error::invalid(format!(
                "{} particles in flight are not possible: use 1 to {MAX_IN_FLIGHT_MAX}",
                self.max_in_flight
            )));
        }
        if self.max_deliveries == Some(0) {
            return Err(Error::invalid(
                "a particle is delivered at least once: set max_deliveries to 1 or more, \
                 or to none for no end",
            ));
        }
        Ok(())
    }

    /// After how many deliveries a particle of `topic` is dead-lettered, and where it then goes.
    ///
    /// A dead-letter topic's own particles are delivered without end, unless a topic for those that
    /// fail again is named: they would else wander from topic to topic.
    ///
    /// # Errors
    /// `Conflict` when the dead-letter topic is the topic itself, or its name would be too long.
    pub(super) fn dead_letters(&self, topic: &TopicName) -> Result<Option<(u32, TopicName)>> {
        let Some(max) = self.max_deliveries else {
            return Ok(None);
        };
        match &self.dead_letter {
            Some(named) if named == topic => {
                let why =
                    format!("topic {topic} cannot be its own dead-letter topic: name another one");
                Err(Error::new(ErrorKind::Conflict, why))
            }
            Some(named) => Ok(Some((max, named.clone()))),
            None if topic.as_str().ends_with(DEAD_LETTER_SUFFIX) => Ok(None),
            None => {
                let name = format!("{topic}{DEAD_LETTER_SUFFIX}")
                    .parse()
                    .map_err(|error| {
                        let why = format!("{error}: name the dead-letter topic with dead_letter");
                        Error::new(ErrorKind::Conflict, why)
                    })?;
                Ok(Some((max, name)))
            }
        }
    }
}

/// Holds a lease, an extension or a delay against its bounds.
pub(super) fn check_time(what: &str, time: Duration, min: Duration) -> Result<()> {
    if (min..=LEASE_MAX).contains(&time) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{what} of {time:?} is not possible: use {min:?} to {} days",
        LEASE_MAX.as_secs() / 86_400
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead_letters(topic: &str, options: &ConsumerOptions) -> Result<Option<(u32, TopicName)>> {
        options.dead_letters(&topic.parse().unwrap())
    }

    #[test]
    fn settings_out_of_bounds_are_refused() {
        let options = ConsumerOptions::default;
        assert!(options().check().is_ok());
        for wrong in [
            options().with_lease(Duration::ZERO),
            options().with_lease(LEASE_MAX + Duration::from_nanos(1)),
            options().with_max_in_flight(0),
            options().with_max_in_flight(MAX_IN_FLIGHT_MAX + 1),
            options().with_max_deliveries(Some(0)),
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_dead_letter_topic_is_derived_or_named_and_never_the_topic_itself() {
        let options = ConsumerOptions::default();
        let derived = dead_letters("orders", &options).unwrap().unwrap();
        assert_eq!(derived, (10, "orders.dead".parse().unwrap()));
        assert_eq!(dead_letters("orders.dead", &options).unwrap(), None);
        let named = options.clone().with_dead_letter("failed".parse().unwrap());
        assert_eq!(
            dead_letters("orders.dead", &named)
                .unwrap()
                .unwrap()
                .1
                .as_str(),
            "failed"
        );
        assert!(dead_letters("failed", &named).is_err());
        assert!(dead_letters(&"x".repeat(200), &options).is_err());
        let endless = options.with_max_deliveries(None);
        assert_eq!(dead_letters(&"x".repeat(200), &endless).unwrap(), None);
    }
}
