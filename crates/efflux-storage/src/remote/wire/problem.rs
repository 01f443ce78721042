//! Errors as they are told: problem documents (RFC 9457).

use serde::{Deserialize, Serialize};

use crate::error::{Damage, Error, ErrorKind};

/// What every type of problem begins with.
const TYPE_PREFIX: &str = "urn:efflux:problem:";

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $status:literal $title:literal,)+) => {
        /// What is wrong, as a stable name. Each has one HTTP status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ProblemKind {
            $($(#[$doc])* $kind,)+
        }

        impl ProblemKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// The name, as in `not-found`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// The status of the answer.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$kind => $status,)+
                }
            }

            /// A short summary for people.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$kind => $title,)+
                }
            }
        }
    };
}

kinds! {
    /// The request cannot be understood, or a value is out of bounds.
    Invalid "invalid" 400 "Invalid request",
    /// There is no token that is valid.
    Unauthenticated "unauthenticated" 401 "Not authenticated",
    /// The token may not do this.
    Forbidden "forbidden" 403 "Not allowed",
    /// There is no such route, topic, particle or consumer.
    NotFound "not-found" 404 "Not found",
    /// The route has no such method.
    MethodNotAllowed "method-not-allowed" 405 "Method not allowed",
    /// None of the media types that are accepted can be given.
    NotAcceptable "not-acceptable" 406 "Not acceptable",
    /// The request came too slowly.
    Timeout "timeout" 408 "Request timed out",
    /// An expectation does not hold, an id or a name is taken, a ticket is stale.
    Conflict "conflict" 409 "Conflict",
    /// `If-Match` does not hold.
    PreconditionFailed "precondition-failed" 412 "Precondition failed",
    /// The body is larger than is allowed.
    TooLarge "too-large" 413 "Too large",
    /// The body's media type is not one that is understood here.
    UnsupportedMediaType "unsupported-media-type" 415 "Unsupported media type",
    /// The range lies behind the payload's end.
    RangeNotSatisfiable "range-not-satisfiable" 416 "Range not satisfiable",
    /// Well-formed JSON, but not of the shape that is asked for.
    Malformed "malformed" 422 "Malformed",
    /// The token's rate is used up.
    TooManyRequests "too-many-requests" 429 "Too many requests",
    /// The head of the request is larger than is allowed.
    HeadersTooLarge "headers-too-large" 431 "Headers too large",
    /// A fault of the node.
    Internal "internal" 500 "Internal error",
    /// Stored bytes are damaged.
    Corrupt "corrupt" 500 "Damaged",
    /// Input or output failed.
    Unavailable "unavailable" 503 "Unavailable",
    /// Too much is under way.
    Busy "busy" 503 "Busy",
    /// The topic was closed by a failed write, or the node shuts down.
    Closed "closed" 503 "Closed",
    /// No space is left.
    Full "full" 507 "Full",
}

impl ProblemKind {
    /// The kind of an error of the store.
    #[must_use]
    pub const fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid => Self::Invalid,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::Full => Self::Full,
            ErrorKind::Corrupt => Self::Corrupt,
            ErrorKind::Closed => Self::Closed,
        }
    }

    /// The kind of the error that a client gives its caller.
    const fn error_kind(self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::Conflict | Self::PreconditionFailed => ErrorKind::Conflict,
            Self::Corrupt => ErrorKind::Corrupt,
            Self::Closed => ErrorKind::Closed,
            Self::Full => ErrorKind::Full,
            Self::Timeout
            | Self::TooManyRequests
            | Self::Internal
            | Self::Unavailable
            | Self::Busy => ErrorKind::Unavailable,
            _ => ErrorKind::Invalid,
        }
    }

    /// Whether the same request may succeed when it is sent again.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Timeout | Self::TooManyRequests | Self::Unavailable | Self::Busy
        )
    }

    /// Reads the `type` of a problem document.
    #[must_use]
    pub fn from_type(text: &str) -> Option<Self> {
        let name = text.strip_prefix(TYPE_PREFIX)?;
        let mut all = Self::ALL.iter().copied();
        all.find(|kind| kind.name() == name)
    }
}

/// An error as it is told: a problem document (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// What is wrong, as a stable name behind `urn:efflux:problem:`.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// A short summary of the type.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What happened this time, where, and what to do.
    pub detail: String,
    /// Whether the same request may succeed when it is sent again.
    pub retryable: bool,
    /// Whether the change may have been made although the answer is an error.
    pub may_have_applied: bool,
    /// The damaged place, for `corrupt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<DamageShown>,
}

/// Where stored bytes are damaged, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DamageShown {
    /// The topic.
    pub topic: String,
    /// The damaged file's name within the topic.
    pub file: String,
    /// Byte offset in that file.
    pub offset: u64,
    /// The sequence of the particle that is damaged or missing there, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// What was expected and what was found.
    pub problem: String,
}

impl Problem {
    /// A problem of this kind; the detail says what happened, where, and what to do.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            problem_type: format!("{TYPE_PREFIX}{}", kind.name()),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            retryable: kind.is_retryable(),
            may_have_applied: false,
            damage: None,
        }
    }

    /// The kind that the document names; for one that is not known, that of its status.
    #[must_use]
    pub fn kind(&self) -> ProblemKind {
        ProblemKind::from_type(&self.problem_type).unwrap_or(match self.status {
            404 => ProblemKind::NotFound,
            409 | 412 => ProblemKind::Conflict,
            400..=499 => ProblemKind::Invalid,
            _ => ProblemKind::Unavailable,
        })
    }

    /// The same, of another kind.
    #[must_use]
    pub fn with_kind(self, kind: ProblemKind) -> Self {
        Self {
            may_have_applied: self.may_have_applied,
            damage: self.damage,
            ..Self::new(kind, self.detail)
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let kind = ProblemKind::of(error.kind());
        Self {
            retryable: error.is_retryable(),
            may_have_applied: error.may_have_applied(),
            damage: error.damage().map(DamageShown::from),
            ..Self::new(kind, error.to_string())
        }
    }
}

impl From<&Problem> for Error {
    fn from(problem: &Problem) -> Self {
        let kind = problem.kind().error_kind();
        let damage = problem.damage.as_ref().and_then(DamageShown::damage);
        let error = match damage {
            Some(damage) if kind == ErrorKind::Corrupt => Self::corrupt(damage),
            _ => Self::new(kind, problem.detail.clone()),
        };
        match problem.may_have_applied {
            true => error.with_may_have_applied(),
            false => error,
        }
    }
}

impl From<&Damage> for DamageShown {
    fn from(damage: &Damage) -> Self {
        Self {
            topic: damage.topic.to_string(),
            file: damage.file.clone(),
            offset: damage.offset,
            sequence: damage.sequence.map(efflux_particle::Sequence::get),
            problem: damage.problem.clone(),
        }
    }
}

impl DamageShown {
    fn damage(&self) -> Option<Damage> {
        Some(Damage {
            topic: self.topic.parse().ok()?,
            file: self.file.clone(),
            offset: self.offset,
            sequence: self.sequence.map(efflux_particle::Sequence::new),
            problem: self.problem.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_store_comes_back_as_it_was() {
        for kind in [
            ErrorKind::Invalid,
            ErrorKind::NotFound,
            ErrorKind::Conflict,
            ErrorKind::Unavailable,
            ErrorKind::Full,
            ErrorKind::Closed,
        ] {
            let error = Error::new(kind, "what happened").with_may_have_applied();
            let back = Error::from(&Problem::from(&error));
            assert_eq!((back.kind(), back.to_string()), (kind, error.to_string()));
            assert!(back.may_have_applied());
            assert_eq!(back.is_retryable(), error.is_retryable());
        }
    }

    #[test]
    fn a_damaged_place_comes_back() {
        let damage = Damage {
            topic: "orders".parse().unwrap(),
            file: "0.seg".to_owned(),
            offset: 17,
            sequence: None,
            problem: "a flipped bit".to_owned(),
        };
        let problem = Problem::from(&Error::corrupt(damage.clone()));
        let text = serde_json::to_string(&problem).unwrap();
        let back: Problem = serde_json::from_str(&text).unwrap();
        assert_eq!(Error::from(&back).damage(), Some(&damage));
    }

    #[test]
    fn names_are_told_apart_and_unknown_ones_go_by_their_status() {
        for kind in ProblemKind::ALL {
            assert_eq!(Problem::new(*kind, "").kind(), *kind);
        }
        let mut later = Problem::new(ProblemKind::Conflict, "");
        later.problem_type = "urn:efflux:problem:of-a-later-version".to_owned();
        assert_eq!(later.kind(), ProblemKind::Conflict);
    }
}
