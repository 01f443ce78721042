//! Filters, transforms and routers that are Rust closures.

use std::fmt;

use crate::emit::Emit;
use crate::filter::Filter;
use crate::parcel::Parcel;
use crate::router::{Route, Router};
use crate::stage_error::StageError;
use crate::transform::Transform;

/// A filter that is a closure.
///
/// ```
/// use efflux_pipeline::{Filter, Parcel, closure};
/// use efflux_pipeline::particle::Message;
///
/// let short = closure::filter(|parcel| Ok(parcel.message.payload().len() < 10));
/// assert!(short.keeps(&Parcel::of_message(Message::new("hello")))?);
/// # Ok::<(), efflux_pipeline::StageError>(())
/// ```
pub fn filter<F>(keeps: F) -> impl Filter
where
    F: Fn(&Parcel) -> Result<bool, StageError> + Send + Sync,
{
    Closure(keeps)
}

/// A transform that is a closure.
///
/// ```
/// use efflux_pipeline::closure;
///
/// let upper = closure::transform(|input, out| {
///     let text = input.text()?.to_uppercase();
///     out.push(input.message.with_payload(text))
/// });
/// # let _ = upper;
/// ```
pub fn transform<F>(apply: F) -> impl Transform
where
    F: Fn(Parcel, &mut Emit<'_>) -> Result<(), StageError> + Send + Sync,
{
    Closure(apply)
}

/// A router that is a closure.
pub fn router<F>(route: F) -> impl Router
where
    F: Fn(&Parcel) -> Result<Route, StageError> + Send + Sync,
{
    Closure(route)
}

struct Closure<F>(F);

impl<F> fmt::Debug for Closure<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a closure")
    }
}

impl<F> Filter for Closure<F>
where
    F: Fn(&Parcel) -> Result<bool, StageError> + Send + Sync,
{
    fn keeps(&self, parcel: &Parcel) -> Result<bool, StageError> {
        (self.0)(parcel)
    }
}

impl<F> Transform for Closure<F>
where
    F: Fn(Parcel, &mut Emit<'_>) -> Result<(), StageError> + Send + Sync,
{
    fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        (self.0)(input, out)
    }
}

impl<F> Router for Closure<F>
where
    F: Fn(&Parcel) -> Result<Route, StageError> + Send + Sync,
{
    fn route(&self, parcel: &Parcel) -> Result<Route, StageError> {
        (self.0)(parcel)
    }
}
