//! Who sends a request, and what they may do.

use std::sync::Arc;

use efflux_flow::storage::remote::wire::ProblemKind;

use super::certificate::CertificateForm;
use super::permission::{Action, Permission};
use super::tokens::Token;
use crate::server::refusal::{Answer, Refusal};

/// What the names of topics begin with that the node alone writes: no token changes the trail of
/// what tokens did, whatever it allows.
const KEPT: &str = "efflux.";

/// What the name of a certificate's owner begins with.
pub(super) const CERTIFICATE: &str = "certificate:";

/// Who sends a request, and what they may do.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The token's id, or `certificate:NAME`; none where neither is needed.
    token: Option<Arc<str>>,
    permissions: Arc<[Permission]>,
}

impl Identity {
    /// Whoever it is: they may do everything.
    pub(super) fn everyone() -> Self {
        Self {
            token: None,
            permissions: Arc::default(),
        }
    }

    pub(super) fn of(token: &Token) -> Self {
        Self {
            token: Some(token.id.as_str().into()),
            permissions: token.permissions.as_slice().into(),
        }
    }

    /// The owner of a certificate.
    pub(super) fn certified(certificate: &CertificateForm) -> Self {
        Self {
            token: Some(format!("{CERTIFICATE}{}", certificate.name).into()),
            permissions: certificate.permissions.as_slice().into(),
        }
    }

    /// The same one with other permissions.
    pub(super) fn with(&self, permissions: &[Permission]) -> Self {
        Self {
            token: self.token.clone(),
            permissions: permissions.into(),
        }
    }

    /// The token's id, the certificate's name, or what stands for everyone.
    pub(crate) fn name(&self) -> &str {
        self.token.as_deref().unwrap_or("everyone")
    }

    /// Whether the action is allowed on this topic.
    pub(crate) fn may(&self, action: Action, topic: &str) -> bool {
        let mut permissions = self.permissions.iter();
        let is_kept = topic.starts_with(KEPT) && matches!(action, Action::Append | Action::Admin);
        self.token.is_none() || !is_kept && permissions.any(|it| it.allows(action, topic))
    }

    /// Whether anything is allowed on this topic: its name is no secret then.
    pub(crate) fn may_know(&self, topic: &str) -> bool {
        use Action::{Admin, Append, Consume, Read};
        [Read, Append, Consume, Admin]
            .iter()
            .any(|action| self.may(*action, topic))
    }

    /// Refuses what is not allowed on this topic.
    pub(crate) fn demand(&self, action: Action, topic: &str) -> Answer<()> {
        match self.may(action, topic) {
            true => Ok(()),
            false => Err(self.forbidden(action, topic)),
        }
    }

    /// Refuses what is not allowed on every topic.
    pub(crate) fn demand_everywhere(&self, action: Action) -> Answer<()> {
        let mut permissions = self.permissions.iter();
        match self.token.is_none() || permissions.any(|it| it.allows_everywhere(action)) {
            true => Ok(()),
            false => Err(self.forbidden(action, "*")),
        }
    }

    fn forbidden(&self, action: Action, topic: &str) -> Refusal {
        let (who, action) = (self.name(), action.name());
        let why = format!("{who} has no permission {action}:{topic}");
        Refusal::new(ProblemKind::Forbidden, why)
    }
}
