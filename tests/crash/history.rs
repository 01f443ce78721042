//! What was tried and what was answered, and whether a topic still holds to it.

use std::collections::BTreeMap;

use efflux_node::storage::particle::{Head, Id, Message, Particle, TopicName};
use efflux_node::storage::{ErrorKind, Receipt, Result as Answer, Sync};

/// A sentence that says what was lost or changed.
pub(crate) type Verdict<T = ()> = std::result::Result<T, String>;

/// All appends that were tried on one topic.
#[derive(Clone, Debug)]
pub(crate) struct History {
    sync: Sync,
    pub(crate) attempts: Vec<Attempt>,
}

/// One append: its messages, and what is known of them.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) messages: Vec<Message>,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It may be there, whole, or not.
    Unknown,
    /// It was acknowledged when the disk had done that many operations.
    Acknowledged {
        receipts: Vec<Receipt>,
        operations: u64,
    },
    /// It was acknowledged, and a power cut came before its sync policy promised anything.
    MayBeLost(Vec<Receipt>),
    /// It was seen after reopening: it must stay.
    Kept(Vec<Receipt>),
    /// It was refused, or was not there after reopening: it must never be there.
    Gone,
}

impl Attempt {
    pub(crate) fn has_ids(&self) -> bool {
        self.messages.iter().all(|message| message.id().is_some())
    }
}

impl History {
    pub(crate) const fn new(sync: Sync) -> Self {
        Self {
            sync,
            attempts: Vec::new(),
        }
    }

    /// Notes that messages are about to be appended; the attempt's number.
    pub(crate) fn begin(&mut self, messages: Vec<Message>) -> usize {
        self.attempts.push(Attempt {
            messages,
            outcome: Outcome::Unknown,
        });
        self.attempts.len() - 1
    }

    /// Notes what an append answered.
    pub(crate) fn end(
        &mut self,
        attempt: usize,
        answer: Answer<Vec<Receipt>>,
        operations: u64,
    ) -> Verdict {
        let tried = self.attempts.get_mut(attempt).expect("it was begun");
        match answer {
            Ok(receipts) => {
                check_receipts(tried, &receipts)?;
                tried.outcome = Outcome::Acknowledged {
                    receipts,
                    operations,
                };
            }
            // What an earlier try did is still unknown.
            Err(error) if error.may_have_applied() => {}
            Err(_) if tried.outcome == Outcome::Unknown => tried.outcome = Outcome::Gone,
            Err(_) => {}
        }
        Ok(())
    }

    /// Notes what a second try of an append answered, which did not know how the first one ended.
    pub(crate) fn end_retry(
        &mut self,
        attempt: usize,
        answer: Answer<Vec<Receipt>>,
        operations: u64,
    ) -> Verdict {
        let before = self.attempts.get(attempt).expect("it was begun").clone();
        if let Err(error) = &answer
            && error.kind() == ErrorKind::Conflict
        {
            return Err(format!("attempt {attempt} again: {error}"));
        }
        let Ok(receipts) = answer else { return Ok(()) };
        if let Outcome::Kept(first)
        | Outcome::Acknowledged {
            receipts: first, ..
        } = &before.outcome
        {
            let same = |(a, b): (&Receipt, &Receipt)| {
                a.sequence == b.sequence && a.fingerprint == b.fingerprint && b.duplicate
            };
            if !first.iter().zip(&receipts).all(same) {
                return Err(format!(
                    "attempt {attempt} again: answered {receipts:?} instead of {first:?}"
                ));
            }
            return Ok(());
        }
        self.end(attempt, Ok(receipts), operations)
    }

    /// The power failed: what the sync policy had not promised yet may be lost.
    pub(crate) fn lose_power(&mut self, segments_synced_at: u64) {
        if self.sync == Sync::Always {
            return;
        }
        for attempt in &mut self.attempts {
            if let Outcome::Acknowledged {
                receipts,
                operations,
            } = &attempt.outcome
                && *operations >= segments_synced_at
            {
                attempt.outcome = Outcome::MayBeLost(receipts.clone());
            }
        }
    }

    /// Everything that was acknowledged was made durable.
    pub(crate) fn made_durable(&mut self) {
        for attempt in &mut self.attempts {
            if let Outcome::Acknowledged { receipts, .. } = &attempt.outcome {
                attempt.outcome = Outcome::Kept(receipts.clone());
            }
        }
    }

    /// Holds what is there against what was promised. What is there then counts as promised.
    pub(crate) fn check(&mut self, topic: &TopicName, particles: &[Particle]) -> Verdict<Head> {
        let head = check_chain(topic, particles)?;
        let mut places = BTreeMap::new();
        for (at, particle) in particles.iter().enumerate().skip(1) {
            if let Some(first) = places.insert(particle.payload(), at) {
                return Err(format!("the payload of sequence {first} is at {at} again"));
            }
        }
        for (number, attempt) in self.attempts.iter_mut().enumerate() {
            check_attempt(attempt, particles, &mut places)
                .map_err(|problem| format!("attempt {number}: {problem}"))?;
        }
        match places.into_values().next() {
            Some(at) => Err(format!("nobody appended what stands at sequence {at}")),
            None => Ok(head),
        }
    }
}

fn check_receipts(attempt: &Attempt, receipts: &[Receipt]) -> Verdict {
    let (asked, answered) = (attempt.messages.len(), receipts.len());
    if asked != answered {
        return Err(format!("{asked} messages got {answered} receipts"));
    }
    let follows = |pair: &[Receipt]| match pair {
        [one, next] => one.sequence.next() == next.sequence,
        _ => true,
    };
    if !receipts.windows(2).all(follows) {
        return Err(format!(
            "the receipts do not follow each other: {receipts:?}"
        ));
    }
    Ok(())
}

fn check_chain(topic: &TopicName, particles: &[Particle]) -> Verdict<Head> {
    let root = particles.first().ok_or("the topic has no root")?;
    let head = Head::check_root(topic, root).map_err(|error| error.to_string())?;
    let rest = particles.get(1..).unwrap_or_default();
    rest.iter().try_fold(head, |head, particle| {
        head.check(particle)
            .map_err(|error| format!("after {head}: {error}"))
    })
}

fn check_attempt(
    attempt: &mut Attempt,
    particles: &[Particle],
    places: &mut BTreeMap<bytes::Bytes, usize>,
) -> Verdict {
    let found: Vec<_> = attempt
        .messages
        .iter()
        .filter_map(|message| places.remove(message.payload()))
        .collect();
    let whole = attempt.messages.len();
    if !found.is_empty() && found.len() < whole {
        return Err(format!("{} of its {whole} messages are there", found.len()));
    }
    let there: Vec<_> = found.iter().filter_map(|at| particles.get(*at)).collect();
    for (message, particle) in attempt.messages.iter().zip(&there) {
        check_message(message, particle)?;
    }
    let promised = match &attempt.outcome {
        Outcome::Acknowledged { receipts, .. } | Outcome::Kept(receipts) => Some((receipts, true)),
        Outcome::MayBeLost(receipts) => Some((receipts, false)),
        Outcome::Unknown => None,
        Outcome::Gone if there.is_empty() => None,
        Outcome::Gone => return Err("it was refused or gone, and is there".to_owned()),
    };
    if let Some((receipts, must_be_there)) = promised {
        check_places(receipts, &there, particles, must_be_there)?;
    }
    attempt.outcome = match there.is_empty() {
        true => Outcome::Gone,
        false => Outcome::Kept(there.iter().map(|particle| receipt(particle)).collect()),
    };
    Ok(())
}

fn check_places(
    receipts: &[Receipt],
    there: &[&Particle],
    particles: &[Particle],
    must_be_there: bool,
) -> Verdict {
    if there.is_empty() {
        if must_be_there {
            return Err(format!("it was acknowledged and is lost: {receipts:?}"));
        }
        let is_suffix = receipts
            .iter()
            .all(|receipt| receipt.sequence.get() >= particles.len() as u64);
        return match is_suffix {
            true => Ok(()),
            false => Err("it is lost, and what came after it is there".to_owned()),
        };
    }
    let same = |(receipt, particle): (&Receipt, &&Particle)| {
        receipt.sequence == particle.sequence() && receipt.fingerprint == particle.fingerprint()
    };
    match receipts.iter().zip(there).all(same) {
        true => Ok(()),
        false => Err("it stands elsewhere than was acknowledged".to_owned()),
    }
}

fn check_message(message: &Message, particle: &Particle) -> Verdict {
    let copy = Message::from(particle);
    let same_id = message.id().is_none_or(|id| *id == particle.id());
    if same_id
        && message.data_type() == copy.data_type()
        && message.message_group() == copy.message_group()
        && message.properties().eq(copy.properties())
    {
        return Ok(());
    }
    Err(format!("sequence {} was changed", particle.sequence()))
}

fn receipt(particle: &Particle) -> Receipt {
    Receipt {
        sequence: particle.sequence(),
        fingerprint: particle.fingerprint(),
        duplicate: false,
    }
}

/// An id that follows from numbers.
pub(crate) fn id(attempt: usize, message: usize) -> Id {
    format!("attempt {attempt} message {message}")
        .parse()
        .expect("an id")
}
