//! Reading upwards, downwards, by place and by id.

use efflux_particle::{Head, Particle, Sequence};

use super::fixture::Fixture;
use super::sample::{fill, id, kind, message, read_all, reopened, topic};
use crate::error::{ErrorKind, Result};
use crate::log::ReadLimit;
use crate::topic::Audit;

/// Whether a read is what the limit allows of `all`, which begins where the read does. It may end
/// earlier, as where a segment ends, but not be empty.
fn is_within(read: &[Particle], all: &[Particle], limit: ReadLimit) -> bool {
    let bytes: usize = read.iter().map(|particle| particle.frame().len()).sum();
    let is_some = !read.is_empty() || limit.particles == 0 || all.is_empty();
    all.starts_with(read)
        && read.len() <= limit.particles
        && (bytes <= limit.bytes || read.len() == 1)
        && is_some
}

const COUNTS: [usize; 6] = [0, 1, 2, 5, 30, 1000];
const BYTES: [usize; 5] = [0, 1, 500, 5000, 1_000_000];

/// A read begins where it is told, gives particles in order and keeps both limits, wherever it
/// begins and whatever the limits are.
pub async fn reads_keep_every_limit(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..60).await?;
    let all = read_all(&topic).await?;
    for start in 0..all.len() {
        let expected = all.get(start..).unwrap_or_default();
        for particles in COUNTS {
            for bytes in BYTES {
                let limit = ReadLimit { particles, bytes };
                let read = topic.read(Sequence::new(start as u64), limit).await?;
                assert!(is_within(&read, expected, limit), "from {start}, {limit:?}");
            }
        }
    }
    Ok(())
}

/// A read downwards does so as well, and begins at the head when it is told to begin past it.
pub async fn reads_backwards_keep_every_limit(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..60).await?;
    let mut all = read_all(&topic).await?;
    all.reverse();
    let count = all.len() as u64;
    for start in (0..count + 2).chain([Sequence::MAX.get()]) {
        let skipped = usize::try_from((count - 1).saturating_sub(start)).unwrap_or(0);
        let expected = all.get(skipped..).unwrap_or_default();
        for particles in COUNTS {
            for bytes in BYTES {
                let limit = ReadLimit { particles, bytes };
                let read = topic.read_back(Sequence::new(start), limit).await?;
                assert!(is_within(&read, expected, limit), "from {start}, {limit:?}");
            }
        }
    }
    Ok(())
}

/// The frames that are read are those of the particles, byte for byte, after reopening too.
pub async fn frames_are_those_of_the_particles(fixture: &dyn Fixture) -> Result<()> {
    let mut topic = topic(fixture).await?;
    fill(&topic, 0..60).await?;
    let all = read_all(&topic).await?;
    for _ in 0..2 {
        let mut from = Sequence::ROOT;
        let mut found = Vec::new();
        loop {
            let frames = topic.read_frames(from, ReadLimit::particles(7)).await?;
            if frames.is_empty() {
                break;
            }
            assert_eq!(frames.first(), from);
            assert_eq!(
                frames.each().map(|frame| frame.len()).sum::<usize>(),
                frames.bytes().len()
            );
            found.extend(frames.each());
            from = frames.next();
        }
        assert!(found.iter().eq(all.iter().map(Particle::frame)));
        topic = reopened(fixture, topic).await?;
    }
    Ok(())
}

/// A read of frames begins where it is told, keeps both limits and is empty past the head.
pub async fn frames_keep_every_limit(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..60).await?;
    let all = read_all(&topic).await?;
    for start in (0..all.len() + 2).chain([usize::MAX]) {
        let expected = all.get(start..).unwrap_or_default();
        for particles in COUNTS {
            for bytes in BYTES {
                let limit = ReadLimit { particles, bytes };
                let from = Sequence::new(start as u64);
                let frames = topic.read_frames(from, limit).await?;
                let count = frames.count();
                assert_eq!((frames.first(), frames.each().count()), (from, count));
                let read = expected.get(..count).unwrap_or_default();
                assert!(is_within(read, expected, limit), "from {start}, {limit:?}");
                assert!(frames.each().eq(read.iter().map(|one| one.frame().clone())));
            }
        }
    }
    Ok(())
}

/// All that an audit gives from where it stands to the topic's head.
async fn audited(audit: &mut Audit) -> Result<Vec<Particle>> {
    let mut all = Vec::new();
    loop {
        let batch = audit.next_batch().await?;
        if batch.is_empty() {
            return Ok(all);
        }
        all.extend(batch);
    }
}

/// From the root on and behind any head an audit gives what reading gives, and later what came later.
pub async fn an_audit_gives_what_reading_gives(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..60).await?;
    let all = read_all(&topic).await?;
    let mut audit = topic.audit(None);
    assert_eq!(audit.head(), None);
    assert_eq!(audited(&mut audit).await?, all);
    assert_eq!(audit.head(), Some(topic.head()));
    for (at, particle) in all.iter().enumerate() {
        let mut audit = topic.audit(Some(Head::on(particle)));
        let expected = all.get(at + 1..).unwrap_or_default();
        assert_eq!(audited(&mut audit).await?, expected);
    }
    fill(&topic, 60..70).await?;
    let later = read_all(&topic).await?.split_off(all.len());
    assert_eq!(audited(&mut audit).await?, later);
    Ok(())
}

/// An audit behind a head that is not the topic's is `Corrupt`, each time it is asked.
pub async fn an_audit_refuses_what_does_not_follow_from_its_head(
    fixture: &dyn Fixture,
) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..5).await?;
    let foreign = Head {
        sequence: Sequence::new(2),
        fingerprint: topic.head().fingerprint,
    };
    let mut audit = topic.audit(Some(foreign));
    for _ in 0..2 {
        let refused = audit.next_batch().await;
        assert_eq!(kind(&refused), Some(ErrorKind::Corrupt));
        let damage = refused.err().and_then(|error| error.damage().cloned());
        let at = damage.and_then(|damage| damage.sequence);
        assert_eq!(at, Some(Sequence::new(3)));
    }
    assert_eq!(audit.head(), Some(foreign));
    Ok(())
}

/// Past the head there is nothing, and that is no error.
pub async fn reading_past_the_head_is_empty(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..5).await?;
    for from in [6, 7, 1000, u64::MAX] {
        let from = Sequence::new(from);
        assert_eq!(topic.read(from, ReadLimit::default()).await?, []);
        assert_eq!(topic.get(from).await?, None);
    }
    Ok(())
}

/// A particle is found by its place and by its id, one the store made included.
pub async fn particles_are_read_by_place_and_by_id(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..30).await?;
    topic.append(message(30).with_id(id(30)?)).await?;
    for particle in read_all(&topic).await? {
        assert_eq!(
            topic.get(particle.sequence()).await?.as_ref(),
            Some(&particle)
        );
        assert_eq!(
            topic.get_id(&particle.id()).await?.as_ref(),
            Some(&particle)
        );
    }
    assert_eq!(topic.get_id(&id(31)?).await?, None);
    Ok(())
}

/// The log reads places that ascend or descend; one that is not there is `NotFound`.
pub async fn the_log_reads_the_places_asked_for(fixture: &dyn Fixture) -> Result<()> {
    let topic = topic(fixture).await?;
    fill(&topic, 0..50).await?;
    let all = read_all(&topic).await?;
    let log = topic.store().backend().open(topic.name()).await;
    // A backend with one log for each topic answers with the open one, or refuses a second.
    let Ok(log) = log else { return Ok(()) };
    let mut places: Vec<_> = [0, 1, 2, 17, 18, 33, 50].map(Sequence::new).to_vec();
    for _ in 0..2 {
        let read = log.read_each(&places).await?;
        let expected = |place: &Sequence| all.iter().find(|one| one.sequence() == *place);
        assert!(read.iter().eq(places.iter().filter_map(expected)));
        assert_eq!(read.len(), places.len());
        places.reverse();
    }
    assert_eq!(log.read_each(&[]).await?, []);
    let missing = log.read_each(&[Sequence::new(51)]).await;
    assert_eq!(kind(&missing), Some(ErrorKind::NotFound));
    Ok(())
}
