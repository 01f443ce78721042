//! Rotten bytes: noticed and named, or harmless; never cut away in silence.

use std::path::Path;

use efflux_node::storage;
use storage::conformance::Guard;
use storage::particle::{Draft, Head, Id, Message, Particle, Stamp, Timestamp};
use storage::{Disk, ErrorKind, StoreOptions, Sync, TopicOptions};

use crate::every::block_on;
use crate::history::Verdict;
use crate::random::first_failure;
use crate::session::{Ending, FOLDER, Session, read_all};

/// Batches of a small store that ends within a segment.
const BATCHES: usize = 12;

async fn small_store(guard_off: Option<Guard>) -> Verdict<(Session, Vec<Particle>)> {
    store_of(BATCHES, guard_off).await
}

/// A small store: several segments, singles and batches. What it answers.
async fn store_of(batches: usize, guard_off: Option<Guard>) -> Verdict<(Session, Vec<Particle>)> {
    let options = TopicOptions::default()
        .with_sync(Sync::Always)
        .with_segment_bytes(4096);
    let mut session = Session::new(80, options, guard_off);
    session.open().await?;
    let topic = session.topic.clone().ok_or("it is not open")?;
    for at in 0..batches {
        let message = |part: usize| {
            Message::new(format!("{at}.{part} ").repeat(30)).with_property("at", at.to_string())
        };
        let messages = (0..1 + at % 3).map(message).collect();
        let appended = topic.append_batch(messages).await;
        appended.map_err(|error| error.to_string())?;
    }
    let particles = read_all(&topic).await?;
    Ok((session, particles))
}

/// What a store says when it is asked for everything.
enum Answer {
    Noticed(String),
    Particles(Vec<Particle>),
}

async fn ask(session: &Session, options: StoreOptions) -> Answer {
    let asked = async {
        let store = session.open_store(options).await?;
        let topic = store.topic(&Session::topic_name()).await?;
        let verified = topic.verify(Default::default()).await?;
        Ok::<_, storage::Error>((store, topic, verified))
    };
    match asked.await {
        Err(error) => Answer::Noticed(error.to_string()),
        Ok((_store, topic, verified)) => match read_all(&topic).await {
            Err(problem) => Answer::Noticed(problem),
            Ok(_) if !verified.notes.is_empty() => Answer::Noticed(verified.notes.join(", ")),
            Ok(particles) => Answer::Particles(particles),
        },
    }
}

/// Flips one bit of a file in a copy of a store; it must be noticed, or change no answer, by
/// reading and then by opening to write.
async fn flip_one(session: &Session, (path, at): (&str, usize), expected: &[Particle]) -> Verdict {
    let bit = u32::try_from(at % 8).unwrap_or(0);
    let mut copy = session.copy();
    copy.disk = session.disk.fork();
    copy.disk
        .flip(Path::new(path), at, bit)
        .map_err(|error| error.to_string())?;
    for options in [StoreOptions::default().read_only(), StoreOptions::default()] {
        match ask(&copy, options).await {
            // A write may heal what is kept twice; then it answers as before.
            Answer::Noticed(_) => {}
            Answer::Particles(particles) if particles == expected => {}
            Answer::Particles(particles) => {
                return Err(format!(
                    "{path} byte {at}: {} of {} particles, and no word",
                    particles.len(),
                    expected.len()
                ));
            }
        }
    }
    Ok(())
}

#[test]
fn every_flipped_byte_of_a_store_is_noticed_or_harmless() {
    let (session, particles) = block_on(async {
        let (mut session, particles) = small_store(None).await.unwrap();
        session.close().await;
        (session, particles)
    });
    let files = session.disk.files();
    let places: Vec<_> = files
        .iter()
        .flat_map(|(path, bytes)| (0..*bytes).map(move |at| (path.as_str(), at)))
        .collect();
    let check = |number: u64| {
        let place = places[usize::try_from(number).unwrap()];
        block_on(flip_one(&session, place, &particles))
    };
    let failure = first_failure(0, places.len() as u64, check);
    assert_eq!(failure, None, "{} places", places.len());
}

/// Every byte of the last batch flipped, after a clean end and after a kill: opening to write or
/// verifying must say so. Nobody may take it for a torn tail.
pub(crate) async fn last_batch_is_watched(guard_off: Option<Guard>) -> Verdict {
    for batches in [BATCHES, batches_that_begin_a_segment().await?] {
        for ending in [None, Some(Ending::Kill)] {
            let (mut session, particles) = store_of(batches, guard_off).await?;
            match ending {
                None => session.close().await,
                Some(ending) => session.end(ending).await?,
            }
            let (path, end) = last_segment(&session);
            let end = end.min(particles_end(&path, &particles));
            for at in end - last_batch(&particles)..end {
                flip_one(&session, (&path, at), &particles).await?;
            }
        }
    }
    Ok(())
}

/// How many batches make a store whose last segment holds the last of them alone.
async fn batches_that_begin_a_segment() -> Verdict<usize> {
    for batches in BATCHES.. {
        let (session, particles) = store_of(batches, None).await?;
        let (path, _) = last_segment(&session);
        if particles_end(&path, &particles) == last_batch(&particles) {
            return Ok(batches);
        }
    }
    Err("no batch begins a segment".to_owned())
}

/// Bytes of the last batch.
fn last_batch(particles: &[Particle]) -> usize {
    let batches = particles.chunk_by(|one, _| one.metadata().batch_remaining() > 0);
    let last = batches.last().unwrap_or_default();
    last.iter().map(|particle| particle.frame().len()).sum()
}

fn last_segment(session: &Session) -> (String, usize) {
    let files = session.disk.files().into_iter();
    let segments = files.filter(|(path, _)| path.starts_with(FOLDER) && path.ends_with(".seg"));
    segments.max().unwrap_or_default()
}

/// Where the last particle ends in the last segment: what follows are zeros written ahead.
fn particles_end(path: &str, particles: &[Particle]) -> usize {
    let name = Path::new(path).file_stem().unwrap_or_default();
    let first: usize = name.to_string_lossy().parse().unwrap_or(0);
    let inside = particles.get(first..).unwrap_or_default();
    inside.iter().map(|particle| particle.frame().len()).sum()
}

#[test]
fn a_rotten_last_batch_is_noticed_and_never_cut() {
    assert_eq!(block_on(last_batch_is_watched(None)), Ok(()));
}

#[test]
fn damage_is_named_by_topic_segment_offset_and_sequence() {
    block_on(async {
        let (mut session, particles) = small_store(None).await.unwrap();
        session.close().await;
        let names = Disk::list(&session.disk, Path::new(FOLDER)).unwrap();
        let firsts = names.iter().filter_map(|name| name.strip_suffix(".seg"));
        let firsts = firsts.map(|first| first.parse::<usize>().unwrap());
        let first = firsts.filter(|first| *first <= 3).max().unwrap();
        let before = particles[first..3].iter();
        let offset: usize = before.map(|particle| particle.frame().len()).sum();
        let file = format!("{first:020}.seg");
        let path = format!("{FOLDER}/{file}");
        session.disk.flip(Path::new(&path), offset + 60, 3).unwrap();
        let reader = StoreOptions::default().read_only();
        let store = session.open_store(reader).await.unwrap();
        let topic = store.topic(&Session::topic_name()).await.unwrap();
        let error = topic.verify(Default::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let damage = error.damage().unwrap();
        assert_eq!(damage.topic, Session::topic_name());
        assert_eq!(damage.file, file);
        assert_eq!(damage.offset, offset as u64);
        assert_eq!(damage.sequence.unwrap().get(), 3);
        assert!(!damage.problem.is_empty());
    });
}

#[test]
fn one_copy_of_head_is_enough_and_two_damaged_ones_are_refused() {
    block_on(async {
        let (mut session, particles) = small_store(None).await.unwrap();
        session.close().await;
        let head = format!("{FOLDER}/HEAD");
        let mut copy = session.copy();
        for slots in [&[0][..], &[512], &[0, 512]] {
            copy.disk = session.disk.fork();
            for slot in slots {
                copy.disk.flip(Path::new(&head), slot + 20, 0).unwrap();
            }
            let reader = StoreOptions::default().read_only();
            assert!(matches!(ask(&copy, reader).await, Answer::Noticed(_)));
            let opened = ask(&copy, StoreOptions::default()).await;
            match (slots.len(), opened) {
                (1, Answer::Particles(found)) => assert_eq!(found, particles),
                (2, Answer::Noticed(problem)) => assert!(problem.contains("HEAD"), "{problem}"),
                (_, Answer::Noticed(problem)) => panic!("{slots:?}: {problem}"),
                (_, Answer::Particles(_)) => panic!("{slots:?}: nothing was noticed"),
            }
        }
    });
}

#[test]
fn a_removed_head_is_made_anew_and_a_removed_table_is_not_missed() {
    block_on(async {
        let (mut session, particles) = small_store(None).await.unwrap();
        session.close().await;
        let files = session.disk.files();
        let mut copy = session.copy();
        let derived = |path: &str| path.ends_with("HEAD") || path.ends_with(".off");
        for (path, _) in files.iter().filter(|(path, _)| derived(path)) {
            copy.disk = session.disk.fork();
            copy.disk.remove(Path::new(path)).unwrap();
            match ask(&copy, StoreOptions::default()).await {
                Answer::Particles(found) => assert_eq!(found, particles, "{path}"),
                Answer::Noticed(problem) => panic!("{path}: {problem}"),
            }
        }
        for (path, _) in files.iter().filter(|(path, _)| path.ends_with(".seg")) {
            copy.disk = session.disk.fork();
            copy.disk.remove(Path::new(path)).unwrap();
            for options in [StoreOptions::default().read_only(), StoreOptions::default()] {
                let answer = ask(&copy, options).await;
                assert!(matches!(answer, Answer::Noticed(_)), "{path} is not missed");
            }
        }
    });
}

/// A client may put into a payload what continues the chain at the place where its own frame
/// begins. When that frame is torn, what stands inside it is no particle.
#[test]
fn a_frame_within_a_torn_frame_is_never_taken_for_one() {
    block_on(async {
        let (mut session, particles) = small_store(None).await.unwrap();
        session.end(Ending::Kill).await.unwrap();
        let (path, _) = last_segment(&session);
        let end = particles_end(&path, &particles);
        let head = Head::on(particles.last().unwrap());
        let stamp = Stamp {
            id: Id::from_uuid([1; 16]),
            created: Timestamp::from_nanos(0),
            in_batch: false,
        };
        let linked = |payload: &[u8]| {
            let draft = Draft::encode(&Message::new(payload.to_vec()), &stamp).unwrap();
            head.link(draft).1
        };
        let inner = linked(b"forged").frame().to_vec();
        let outer = linked(&[&inner[..], &inner, b"end"].concat());
        let start = outer.frame().len() - outer.payload().len() - 8;
        for cut in [start + inner.len(), outer.frame().len() - 1] {
            for is_header_gone in [false, true] {
                let mut torn = outer.frame()[..cut].to_vec();
                if is_header_gone {
                    torn[..start].fill(0);
                }
                let mut copy = session.copy();
                copy.disk = session.disk.fork();
                let file = copy.disk.create(Path::new(&path)).unwrap();
                file.set_len(end as u64).unwrap();
                file.write_at(&torn, end as u64).unwrap();
                match ask(&copy, StoreOptions::default()).await {
                    Answer::Particles(found) => assert_eq!(found, particles),
                    Answer::Noticed(problem) => panic!("a torn tail is cut: {problem}"),
                }
            }
        }
    });
}
