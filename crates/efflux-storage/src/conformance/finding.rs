//! Finding by query is reading everything and keeping what matches.

use efflux_particle::{Particle, Sequence};

use super::fixture::Fixture;
use super::sample::{fill, read_all, reopened, topic};
use crate::error::Result;
use crate::find::FindOptions;
use crate::query::Query;
use crate::topic::Topic;

const QUERIES: &[&str] = &[
    "",
    "data_type = 'type 1'",
    "message_group = 'group 3' and data_type = 'type 0'",
    "data_type = 'type 1' or data_type = 'type 2'",
    "not properties.parity = 'odd'",
    "properties.parity = 'even' and not message_group = 'group 0'",
    "created >= 2000-01-01 and data_type = 'type 2'",
    "created < 2000-01-01",
    "data_type = 'never'",
];

async fn find_all(topic: &Topic, query: &Query, options: FindOptions) -> Result<Vec<Particle>> {
    let mut finder = topic.find(query, options).await?;
    let mut found = Vec::new();
    loop {
        let batch = finder.next_batch().await?;
        if batch.is_empty() {
            return Ok(found);
        }
        found.extend(batch);
    }
}

fn scan(all: &[Particle], query: &Query, options: &FindOptions) -> Vec<Particle> {
    let until = options.until.unwrap_or(Sequence::MAX);
    let matches = |particle: &&Particle| {
        (options.from..=until).contains(&particle.sequence()) && query.matches(particle.metadata())
    };
    let mut found: Vec<_> = all.iter().filter(matches).cloned().collect();
    if options.reverse {
        found.reverse();
    }
    found.truncate(options.limit.unwrap_or(usize::MAX));
    found
}

async fn compare(topic: &Topic) -> Result<()> {
    let all = read_all(topic).await?;
    let places = [0, 1, 30, 90, 91, 500].map(Sequence::new);
    for text in QUERIES {
        let query: Query = text
            .parse()
            .map_err(|error| crate::Error::invalid(format!("{text}: {error}")))?;
        for reverse in [false, true] {
            for limit in [None, Some(0), Some(1), Some(7)] {
                for from in places {
                    let mut options = FindOptions::default().with_from(from).with_reverse(reverse);
                    options.limit = limit;
                    for until in places.map(Some).into_iter().chain([None]) {
                        options.until = until;
                        let found = find_all(topic, &query, options).await?;
                        assert_eq!(found, scan(&all, &query, &options), "{text} {options:?}");
                    }
                }
            }
        }
    }
    Ok(())
}

/// What was appended a moment ago is found, in both directions, within any range and limit.
pub async fn finding_is_scanning(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..90).await?;
    compare(&topic).await
}

/// So is what was there before the store was opened, together with what came since.
pub async fn finding_is_scanning_after_reopening(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..60).await?;
    let topic = reopened(fixture, topic).await?;
    fill(&topic, 60..90).await?;
    compare(&topic).await
}
