//! Comparisons with a place in a JSON payload.

use std::cmp::Ordering;

use serde_json::Value;

/// What is asked of a value in a JSON payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataTest {
    /// There is a value, be it `null`.
    Exists,
    /// The value is this one. Numbers are compared by what they are worth: 1 is 1.0.
    Is(DataValue),
    /// The value is a text that begins with this one.
    StartsWith(String),
    /// The value is of the same kind, number or text, and stands on this side.
    Ordered(DataOrder, DataValue),
}

/// The side on which a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataOrder {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A value that a place in a JSON payload is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataValue {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number that fits 64 bits, with or without sign.
    Integer(i128),
    /// Any other number.
    Float(Finite),
    /// Text.
    Text(String),
}

/// A floating-point number that is neither infinite nor "not a number".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finite(f64);

impl Eq for Finite {}

impl Finite {
    pub(super) fn new(number: f64) -> Option<Self> {
        // Adding zero turns -0.0 into 0.0, so that equal numbers also print the same.
        number.is_finite().then_some(Self(number + 0.0))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl DataTest {
    pub(super) fn passes(&self, found: Option<&Value>) -> bool {
        let Some(found) = found else { return false };
        match self {
            Self::Exists => true,
            Self::Is(DataValue::Null) => found.is_null(),
            Self::Is(DataValue::Bool(expected)) => found.as_bool() == Some(*expected),
            Self::Is(value) => compare(found, value) == Some(Ordering::Equal),
            Self::StartsWith(prefix) => found
                .as_str()
                .is_some_and(|text| text.starts_with(prefix.as_str())),
            Self::Ordered(order, value) => {
                compare(found, value).is_some_and(|found| order.holds(found))
            }
        }
    }
}

impl DataOrder {
    const fn holds(self, found: Ordering) -> bool {
        match self {
            Self::Less => found.is_lt(),
            Self::LessOrEqual => found.is_le(),
            Self::Greater => found.is_gt(),
            Self::GreaterOrEqual => found.is_ge(),
        }
    }
}

/// The value at a path: names look into objects, whole numbers into arrays.
pub(super) fn find<'a>(data: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(data, |value, step| match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => items.get(array_index(step)?),
        _ => None,
    })
}

fn array_index(step: &str) -> Option<usize> {
    let plain = step == "0" || !step.starts_with(['0', '+']);
    step.parse().ok().filter(|_| plain)
}

/// How what was found stands to `value`; none when they are of different kinds or have no order.
fn compare(found: &Value, value: &DataValue) -> Option<Ordering> {
    match (found, value) {
        (Value::String(found), DataValue::Text(text)) => Some(found.as_str().cmp(text)),
        (Value::Number(found), DataValue::Integer(number)) => match whole(found) {
            Some(found) => Some(found.cmp(number)),
            None => Some(compare_whole(*number, found.as_f64()?).reverse()),
        },
        (Value::Number(found), DataValue::Float(number)) => match whole(found) {
            Some(found) => Some(compare_whole(found, number.get())),
            None => found.as_f64()?.partial_cmp(&number.get()),
        },
        _ => None,
    }
}

pub(super) fn whole(number: &serde_json::Number) -> Option<i128> {
    let signed = number.as_i64().map(i128::from);
    signed.or_else(|| number.as_u64().map(i128::from))
}

/// Compares exactly where a conversion to `f64` would round.
fn compare_whole(whole: i128, other: f64) -> Ordering {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the fraction is compared below, and the cast saturates far outside of 64 bits"
    )]
    let floor = other.floor() as i128;
    whole.cmp(&floor).then_with(|| {
        if other > other.floor() {
            Ordering::Less
        } else {
            Ordering::Equal
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_compare_by_worth_where_f64_would_round() {
        let odd = 9_007_199_254_740_993_i64; // 2^53 + 1 has no f64
        let float = |number| DataValue::Float(Finite::new(number).unwrap());
        for (found, value, expected) in [
            (json!(1), float(1.0), Ordering::Equal),
            (json!(1.0), DataValue::Integer(1), Ordering::Equal),
            (json!(1.5), DataValue::Integer(1), Ordering::Greater),
            (json!(-1.5), DataValue::Integer(-1), Ordering::Less),
            (json!(-2), float(-1.5), Ordering::Less),
            (
                json!(odd),
                float(9_007_199_254_740_992.0),
                Ordering::Greater,
            ),
            (json!(u64::MAX), float(1e300), Ordering::Less),
            (json!(i64::MIN), float(-1e300), Ordering::Greater),
            (json!(u64::MAX), DataValue::Integer(-1), Ordering::Greater),
        ] {
            assert_eq!(compare(&found, &value), Some(expected), "{found} {value:?}");
        }
    }

    #[test]
    fn paths_look_into_objects_and_arrays() {
        let data = json!({"a": [{"b c": 1}, 2], "0": "zero"});
        let found = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(ToString::to_string).collect();
            find(&data, &path).cloned()
        };
        assert_eq!(found(&["a", "0", "b c"]), Some(json!(1)));
        assert_eq!(found(&["a", "1"]), Some(json!(2)));
        assert_eq!(found(&["0"]), Some(json!("zero")));
        for missing in [
            &["a", "2"][..],
            &["a", "01"],
            &["a", "+1"],
            &["a", "-1"],
            &["b"],
            &["0", "0"],
        ] {
            assert_eq!(found(missing), None, "{missing:?}");
        }
    }
}
