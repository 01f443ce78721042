//! The functions that are built in: those of jaq, and others in place of some.

use std::cmp::Ordering;

use jaq_core::box_iter::box_once;
use jaq_core::native::{Filter, bome, run, v};
use jaq_core::{Error, Exn, Native, RunPtr, ValXs};
use jaq_json::{Num, Val};

use crate::transform::jq::bounds::{LOOK, TIMES};
use crate::transform::jq::run::{Exceeded, Kind};
use crate::transform::jq::value::is_flat;
use crate::transform::limits::{
    JQ_ELEMENTS_MAX, JQ_NUMBER_BITS_MAX, JQ_TEXT_BYTES_MAX, JSON_DEPTH_MAX,
};

/// Functions of jaq that are not there: what they give does not follow from the message.
const LEFT_OUT: &[&str] = &["now"];

/// The functions that programs can call.
pub(super) fn all() -> Vec<Filter<Native<Kind>>> {
    let own = own();
    let names: Vec<_> = own.iter().map(|(name, _, _)| *name).collect();
    let jaqs = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs())
        .filter(|(name, _, _)| !LEFT_OUT.contains(name) && !names.contains(name))
        .collect::<Vec<_>>();
    jaqs.into_iter()
        .chain(own.into_iter().map(run::<Kind>))
        .collect()
}

fn own() -> [Filter<RunPtr<Kind>>; 8] {
    [
        (LOOK, v(0), |cv| {
            look(&cv.1);
            if let Val::TStr(text) | Val::BStr(text) = &cv.1 {
                cv.0.data().made(text);
            }
            box_once(Ok(cv.1))
        }),
        (TIMES, v(2), |mut cv| {
            let right = cv.0.pop_var();
            let left = cv.0.pop_var();
            look_at_factors(&left, &right);
            bome(left * right)
        }),
        ("range", v(3), |mut cv| {
            let by = cv.0.pop_var();
            let to = cv.0.pop_var();
            let mut next = Some(cv.0.pop_var());
            let direction = by
                .partial_cmp(&Val::from(0_isize))
                .unwrap_or(Ordering::Equal);
            Box::new(std::iter::from_fn(move || {
                // A range makes values without evaluating a term.
                cv.0.data().step();
                let value = next.take()?;
                let is_within = match direction {
                    Ordering::Greater => value < to,
                    Ordering::Less => value > to,
                    Ordering::Equal => value != to,
                };
                if !is_within {
                    return None;
                }
                match value.clone() + by.clone() {
                    Ok(sum) => {
                        next = Some(sum);
                        Some(Ok(value))
                    }
                    Err(error) => Some(Err(Exn::from(error))),
                }
            }))
        }),
        ("fromjson", v(0), |cv| bome(from_json(&cv.1))),
        ("env", v(0), |_| {
            box_once(Ok(Val::obj(jaq_json::Map::default())))
        }),
        ("halt", v(1), |_| bome(Err(Error::str("it halts")))),
        ("debug_empty", v(0), |_| nothing()),
        ("stderr_empty", v(0), |_| nothing()),
    ]
}

fn nothing<'a>() -> ValXs<'a, Val> {
    Box::new(std::iter::empty())
}

fn from_json(text: &Val) -> Result<Val, Error<Val>> {
    let Val::TStr(bytes) = text else {
        return Err(Error::str("fromjson takes a text"));
    };
    if !is_flat(bytes) {
        return Err(Error::str("the JSON of fromjson is too deep"));
    }
    jaq_json::read::parse_single(bytes).map_err(Error::str)
}

/// Ends the run when a value is too large or too deep.
fn look(value: &Val) {
    let is_fine = match value {
        Val::TStr(text) | Val::BStr(text) => text.len() <= JQ_TEXT_BYTES_MAX,
        Val::Arr(elements) => elements.len() <= JQ_ELEMENTS_MAX && is_shallow(value),
        Val::Obj(fields) => fields.len() <= JQ_ELEMENTS_MAX && is_shallow(value),
        Val::Num(Num::BigInt(number)) => number.bits() <= JQ_NUMBER_BITS_MAX,
        _ => true,
    };
    if !is_fine {
        Exceeded::Value.end();
    }
}

/// Whether a value is no deeper than JSON may be, down its first and its last elements: a loop
/// that wraps a value in another one deepens one of them.
fn is_shallow(value: &Val) -> bool {
    is_shallow_along(value, |value| match value {
        Val::Arr(elements) => elements.first(),
        Val::Obj(fields) => fields.first().map(|(_, field)| field),
        _ => None,
    }) && is_shallow_along(value, |value| match value {
        Val::Arr(elements) => elements.last(),
        Val::Obj(fields) => fields.last().map(|(_, field)| field),
        _ => None,
    })
}

fn is_shallow_along(value: &Val, inner: impl Fn(&Val) -> Option<&Val>) -> bool {
    let mut at = value;
    for _ in 0..JSON_DEPTH_MAX {
        match inner(at) {
            Some(value) => at = value,
            None => return true,
        }
    }
    false
}

/// Ends the run when a text would be repeated until it is too large, or a product would be.
fn look_at_factors(left: &Val, right: &Val) {
    let ((Val::TStr(text) | Val::BStr(text), Val::Num(times))
    | (Val::Num(times), Val::TStr(text) | Val::BStr(text))) = (left, right)
    else {
        return;
    };
    let times = match times {
        Num::Float(_) | Num::Dec(_) => 0,
        times => times
            .as_isize()
            .map_or(usize::MAX, |times| usize::try_from(times).unwrap_or(0)),
    };
    if text.len().saturating_mul(times) > JQ_TEXT_BYTES_MAX {
        Exceeded::Value.end();
    }
}
