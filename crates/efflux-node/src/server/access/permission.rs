//! Permissions: an action, and the topics it is allowed on.

use std::fmt;
use std::str::FromStr;

use efflux_flow::storage::Error;
use serde::{Deserialize, Serialize};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reads particles, heads and settings.
    Read,
    /// Appends.
    Append,
    /// Makes, uses and deletes consumers.
    Consume,
    /// Makes and deletes topics, and all that is left.
    Admin,
}

impl Action {
    const ALL: [Self; 4] = [Self::Read, Self::Append, Self::Consume, Self::Admin];

    /// The name in permissions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Append => "append",
            Self::Consume => "consume",
            Self::Admin => "admin",
        }
    }
}

/// An action, and the topics it is allowed on: `ACTION:PATTERN`, in which `*` stands for any text.
///
/// - each action is allowed by itself: whoever may administer a topic may not read it by that
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Permission {
    action: Action,
    pattern: String,
}

impl Permission {
    /// Whether the action is allowed on a topic of this name.
    #[must_use]
    pub fn allows(&self, action: Action, topic: &str) -> bool {
        self.action == action && matches(&self.pattern, topic)
    }

    /// Whether the action is allowed on every topic, and where no topic is meant.
    #[must_use]
    pub fn allows_everywhere(&self, action: Action) -> bool {
        self.action == action && self.pattern == "*"
    }
}

/// Whether a text is what a pattern says, where `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    true
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.action.name(), self.pattern)
    }
}

impl FromStr for Permission {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = || {
            Error::invalid(format!(
                "{text:?} is no permission: write read, append, consume or admin, a colon and a \
                 topic, in which * stands for any text"
            ))
        };
        let (action, pattern) = text.split_once(':').ok_or_else(refuse)?;
        let mut actions = Action::ALL.into_iter();
        let action = actions
            .find(|known| known.name() == action)
            .ok_or_else(refuse)?;
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-*".contains(&byte);
        if pattern.is_empty() || pattern.len() > 200 || !pattern.bytes().all(is_letter) {
            return Err(refuse());
        }
        Ok(Self {
            action,
            pattern: pattern.to_owned(),
        })
    }
}

impl TryFrom<String> for Permission {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> Self {
        permission.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_say() {
        for (pattern, text, expect) in [
            ("orders", "orders", true),
            ("orders", "orders2", false),
            ("orders", "order", false),
            ("*", "", true),
            ("*", "orders", true),
            ("orders.*", "orders.eu", true),
            ("orders.*", "orders", false),
            ("*.eu", "orders.eu", true),
            ("*.eu", "orders.eu.old", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "ac", false),
            ("a*a", "a", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern, text), expect, "{pattern} {text}");
        }
    }

    #[test]
    fn a_permission_is_one_action_on_some_topics() {
        let permission: Permission = "read:orders.*".parse().unwrap();
        assert!(permission.allows(Action::Read, "orders.eu"));
        assert!(!permission.allows(Action::Append, "orders.eu"));
        assert!(!permission.allows_everywhere(Action::Read));
        assert!(
            "admin:*"
                .parse::<Permission>()
                .unwrap()
                .allows_everywhere(Action::Admin)
        );
        for wrong in [
            "",
            "read",
            "read:",
            "write:orders",
            "read:a b",
            "read:a/b",
            "Read:a",
        ] {
            assert!(wrong.parse::<Permission>().is_err(), "{wrong}");
        }
    }
}
