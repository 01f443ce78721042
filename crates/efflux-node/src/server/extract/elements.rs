//! Arrays of JSON, read element by element: what is refused is refused where it stands, before the
//! rest of the array costs anything.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use efflux_flow::particle::limits::{BATCH_PARTICLES_MAX, PROPERTIES_MAX};
use efflux_flow::storage::remote::wire::ProblemKind;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::json::refused;
use crate::server::refusal::{Answer, Refusal};

/// Reads an array of objects, each of which becomes a message of a batch. `what` is what a refusal
/// calls one of them.
pub(crate) fn elements<'a, T: Deserialize<'a>, M>(
    bytes: &'a [u8],
    what: &'static str,
    read: impl FnMut(T) -> Answer<M>,
) -> Answer<Vec<M>> {
    let mut elements = Elements {
        what,
        read,
        made: Vec::new(),
        is_begun: false,
        refusal: None,
        form: PhantomData,
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = json
        .deserialize_seq(&mut elements)
        .and_then(|()| json.end());
    match (read, elements.refusal) {
        (Ok(()), _) => Ok(elements.made),
        (Err(_), Some(refusal)) => Err(refusal),
        (Err(error), None) if elements.is_begun && error.is_data() => {
            Err(refused(&error).at(what, elements.made.len()))
        }
        (Err(error), None) => Err(refused(&error)),
    }
}

/// Refuses more messages than a batch has.
pub(crate) fn check_count(count: usize) -> Answer<()> {
    match count > BATCH_PARTICLES_MAX {
        true => Err(Refusal::new(
            ProblemKind::TooLarge,
            format!("a batch has at most {BATCH_PARTICLES_MAX} messages: send it in parts"),
        )),
        false => Ok(()),
    }
}

struct Elements<T, M, R> {
    what: &'static str,
    read: R,
    made: Vec<M>,
    is_begun: bool,
    /// Why an element is none, when it is not JSON that is wrong.
    refusal: Option<Refusal>,
    form: PhantomData<T>,
}

impl<'de, T, M, R> Visitor<'de> for &mut Elements<T, M, R>
where
    T: Deserialize<'de>,
    R: FnMut(T) -> Answer<M>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        self.is_begun = true;
        loop {
            let at = self.made.len();
            let is_full = check_count(at + 1);
            let made = match is_full {
                Err(refusal) => match from.next_element::<IgnoredAny>()? {
                    None => return Ok(()),
                    Some(_) => Err(refusal),
                },
                Ok(()) => match from.next_element::<Object<T>>()? {
                    None => return Ok(()),
                    Some(Object(form)) => (self.read)(form).map_err(|why| why.at(self.what, at)),
                },
            };
            match made {
                Ok(made) => self.made.push(made),
                Err(refusal) => {
                    self.refusal = Some(refusal);
                    return Err(A::Error::custom("an element is refused"));
                }
            }
        }
    }
}

/// An object. What reads objects would take arrays as well, by the order of the fields.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, from: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(from))
    }
}

/// Reads properties: as many as a message may have, and no name twice.
pub(crate) fn properties<'de, D, T>(from: D) -> Result<BTreeMap<T, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Ord + fmt::Display,
{
    from.deserialize_map(Properties(PhantomData))
}

struct Properties<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Ord + fmt::Display> Visitor<'de> for Properties<T> {
    type Value = BTreeMap<T, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut properties = BTreeMap::new();
        while let Some(name) = from.next_key::<T>()? {
            if properties.len() == PROPERTIES_MAX {
                let why = format!("more than {PROPERTIES_MAX} properties");
                return Err(A::Error::custom(why));
            }
            if properties.contains_key(&name) {
                return Err(A::Error::custom(format!("duplicate property `{name}`")));
            }
            properties.insert(name, from.next_value()?);
        }
        Ok(properties)
    }
}
