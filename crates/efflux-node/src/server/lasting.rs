//! Answers that take long, which end when whoever asked may no longer have them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::access::{Action, Identity};
use super::limits::TOKENS_CHECK_TIME;
use super::node::Node;

/// What a request was allowed to do when it came, and may be no longer: its token may be revoked, or
/// expire, while it waits or its answer is sent.
#[derive(Clone, Debug)]
pub(crate) struct Lasting {
    pub(crate) node: Arc<Node>,
    pub(crate) who: Identity,
    pub(crate) action: Action,
    pub(crate) topic: String,
}

impl Lasting {
    fn is_allowed(&self) -> bool {
        let now = self.node.store().clock().now();
        let access = self.node.access();
        access.is_still_allowed(&self.who, self.action, &self.topic, now)
    }

    /// Returns when it is no longer allowed.
    pub(crate) async fn is_over(&self) {
        loop {
            tokio::time::sleep(TOKENS_CHECK_TIME).await;
            if !self.is_allowed() {
                return;
            }
        }
    }

    /// The same body, cut off when it is no longer allowed.
    pub(crate) fn body(self, body: Body) -> Body {
        // What is in memory already is sent at once.
        if body.size_hint().exact().is_some() {
            return body;
        }
        Body::new(Cut {
            body,
            lasting: self,
            checked: Instant::now(),
            next: None,
        })
    }
}

/// A body that is cut off when it is no longer allowed.
struct Cut {
    body: Body,
    lasting: Lasting,
    checked: Instant,
    /// When to look again although nothing comes.
    next: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        loop {
            if self.checked.elapsed() >= TOKENS_CHECK_TIME {
                self.checked = Instant::now();
                if !self.lasting.is_allowed() {
                    self.body = Body::empty();
                    let why = "the token is no longer valid for this";
                    let error = io::Error::new(io::ErrorKind::PermissionDenied, why);
                    return Poll::Ready(Some(Err(axum::Error::new(error))));
                }
            }
            if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
                return Poll::Ready(frame);
            }
            let at = self.checked + TOKENS_CHECK_TIME;
            let next = self
                .next
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
            ready!(next.as_mut().poll(context));
            self.next = None;
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
