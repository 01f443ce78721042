//! Sends requests to a node, from a thread of its own, so that any thread and any runtime may wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::Client as Connections;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::address::Address;
use super::call::{Call, Reply};
use super::connector::{Connector, connector};
use super::pieces::Pieces;
use super::wire::Problem;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{
    REMOTE_ANSWER_BYTES_MAX, REMOTE_ATTEMPTS_MAX, REMOTE_CONNECT_TIME, REMOTE_IDLE_TIME,
    REMOTE_PAUSE, REMOTE_REQUESTS_MAX, REMOTE_TIME,
};
use crate::options::{BearerToken, StoreOptions};

/// How long a request may wait at the node at once; longer waits are several requests.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(30);

/// Sends requests to one node.
#[derive(Debug)]
pub(super) struct Client {
    sender: Sender,
    runtime: Handle,
    /// Ends the thread when it is dropped.
    _stop: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Sender {
    address: Address,
    connector: Connector,
    connections: Connections<Connector, Full<Bytes>>,
    /// What the node is shown, never printed.
    authorization: Option<HeaderValue>,
    /// Requests that the node is asked to answer at once.
    requests: Arc<Semaphore>,
}

/// What became of one attempt that got no answer.
struct Failed {
    error: Error,
    /// Whether the node never got the request.
    is_unsent: bool,
}

impl Client {
    /// A client of the node at this address. Nothing is sent yet.
    ///
    /// # Errors
    /// `Unavailable` when no thread can be started, `Invalid` when the token fits no header or would
    /// cross a network in clear, or when files of certificates do not hold what they should.
    pub(super) fn start(address: Address, options: &StoreOptions) -> Result<Self> {
        if options.token.is_some() && address.is_readable_on_the_way() && !options.token_in_clear {
            return Err(Error::invalid(format!(
                "the token is not sent to {address}, because everyone on the way could read it: use \
                 https://, or say that it may cross this network in clear \
                 (StoreOptions::with_token_in_clear, --token-in-clear)"
            )));
        }
        let authorization = options.token.as_ref().map(authorization).transpose()?;
        let connector = connector(plain(), &address, options)?;
        let connections = connections(connector.clone());
        let failed = |error| Error::io("cannot start the thread that talks to the node", error);
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            // Ends with the client.
            let _ = runtime.block_on(stopped);
        };
        thread::Builder::new()
            .name("efflux-remote".to_owned())
            .spawn(run)
            .map_err(failed)?;
        Ok(Self {
            sender: Sender {
                address,
                connector,
                connections,
                authorization,
                requests: Arc::new(Semaphore::new(REMOTE_REQUESTS_MAX)),
            },
            runtime: handle,
            _stop: stop,
        })
    }

    /// Sends a request and returns the answer, if it is none that tells of an error.
    ///
    /// # Errors
    /// The one that the node tells; `Unavailable` when there is no answer.
    pub(super) async fn send(&self, call: Call) -> Result<Reply> {
        self.begin(call).await
    }

    /// Begins a request, whose answer is waited for later.
    pub(super) fn begin(&self, call: Call) -> Running {
        let (sender, ends_with_caller) = (self.sender.clone(), call.ends_with_caller);
        let task = self
            .runtime
            .spawn(async move { sender.attempts(call).await });
        Running {
            task,
            ends_with_caller,
        }
    }

    /// As [`Client::send`], from a task that [`Client::spawn`] began.
    ///
    /// # Errors
    /// As for [`Client::send`].
    pub(super) async fn exchange(&self, call: Call) -> Result<Reply> {
        self.sender.attempts(call).await
    }

    /// Runs a task on the client's own thread.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(task));
    }

    /// Sends a request whose body is made while it is sent, over a connection of its own. It is
    /// sent once, and given up when nobody waits for its answer any longer.
    pub(super) fn stream(&self, call: Call, body: Pieces) -> Running {
        let sender = self.sender.clone();
        let task = self
            .runtime
            .spawn(async move { sender.streamed(call, body).await });
        Running {
            task,
            ends_with_caller: true,
        }
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Running {
    task: JoinHandle<Result<Reply>>,
    ends_with_caller: bool,
}

impl Future for Running {
    type Output = Result<Reply>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Reply>> {
        let ended = Pin::new(&mut self.task).poll(context);
        ended.map(|ended| match ended {
            Ok(answered) => answered,
            Err(_) => Err(Error::closed("the store was closed meanwhile").with_may_have_applied()),
        })
    }
}

impl Running {
    /// Whether there is an answer, or none will come.
    pub(super) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ends_with_caller {
            self.task.abort();
        }
    }
}

impl Sender {
    /// Sends a request, and again where that is safe and may help.
    async fn attempts(&self, call: Call) -> Result<Reply> {
        let (mut pause, mut is_ambiguous) = (REMOTE_PAUSE, false);
        let mut attempt = 1;
        loop {
            let error = match self.attempt(&call).await {
                Ok(reply) => match refused(&reply) {
                    None => {
                        return Ok(Reply {
                            was_repeated: is_ambiguous,
                            ..reply
                        });
                    }
                    Some(error) if error.is_retryable() => error,
                    Some(error) => return Err(marked(error, is_ambiguous)),
                },
                Err(failed) => {
                    let may_repeat = failed.is_unsent || call.is_repeatable;
                    is_ambiguous |= !failed.is_unsent && call.method != http::Method::GET;
                    if !may_repeat {
                        return Err(marked(failed.error, is_ambiguous));
                    }
                    failed.error
                }
            };
            let is_over = attempt >= REMOTE_ATTEMPTS_MAX;
            if is_over || error.may_have_applied() && !call.is_repeatable {
                return Err(marked(error, is_ambiguous));
            }
            tokio::time::sleep(pause).await;
            (attempt, pause) = (attempt + 1, pause * 2);
        }
    }

    async fn attempt(&self, call: &Call) -> Result<Reply, Failed> {
        let time = REMOTE_TIME + call.wait;
        // Those that wait at the node hold up nobody here; without a permit none is closed.
        let _permit = match call.wait.is_zero() {
            true => self.requests.acquire().await.ok(),
            false => None,
        };
        match tokio::time::timeout(time, self.exchange(call)).await {
            Ok(exchanged) => exchanged,
            Err(_) => Err(Failed {
                error: self.failed(&format!("no answer came within {time:?}")),
                is_unsent: false,
            }),
        }
    }

    async fn exchange(&self, call: &Call) -> Result<Reply, Failed> {
        let fail = |why: String, is_unsent| Failed {
            error: self.failed(&why),
            is_unsent,
        };
        let request = self.request(call, Full::new(call.body.clone()));
        let request = request.map_err(|error| fail(error.to_string(), true))?;
        self.answered(self.connections.request(request).await).await
    }

    async fn answered(
        &self,
        response: Result<http::Response<Incoming>, hyper_util::client::legacy::Error>,
    ) -> Result<Reply, Failed> {
        let fail = |why: String, is_unsent| Failed {
            error: self.failed(&why),
            is_unsent,
        };
        let response = response.map_err(|error| fail(chain(&error), error.is_connect()))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, REMOTE_ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| fail(error.to_string(), false))?;
        Ok(Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.to_bytes(),
            was_repeated: false,
        })
    }

    fn request<B>(&self, call: &Call, body: B) -> http::Result<http::Request<B>> {
        let mut request = http::Request::builder()
            .method(call.method.clone())
            .uri(self.address.url(&call.path))
            .body(body)?;
        *request.headers_mut() = call.headers.clone();
        if let Some(authorization) = &self.authorization {
            let headers = request.headers_mut();
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        Ok(request)
    }

    /// Sends one request with a body that is made meanwhile.
    async fn streamed(&self, call: Call, body: Pieces) -> Result<Reply> {
        let counts = body.counts();
        let exchange = async {
            let request = self.request(&call, body);
            let request = request.map_err(|error| self.failed(&error.to_string()))?;
            let connection = connections(self.connector.clone());
            let answered = self.answered(connection.request(request).await).await;
            answered.map_err(|failed| match failed.is_unsent {
                true => failed.error,
                false => failed.error.with_may_have_applied(),
            })
        };
        let mut exchange = std::pin::pin!(exchange);
        let mut taken_before = None;
        loop {
            match tokio::time::timeout(REMOTE_TIME, &mut exchange).await {
                Ok(Ok(reply)) => return refused(&reply).map_or(Ok(reply), Err),
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let taken = counts.taken_of_more();
                    if taken.is_some() && taken == taken_before {
                        return Err(self.failed(&format!("it took no byte for {REMOTE_TIME:?}")));
                    }
                    taken_before = taken;
                }
            }
        }
    }

    fn failed(&self, why: &str) -> Error {
        let address = &self.address;
        let what = format!("the node at {address} cannot be reached: {why}");
        Error::new(ErrorKind::Unavailable, what)
    }
}

fn plain() -> HttpConnector {
    let mut plain = HttpConnector::new();
    plain.set_nodelay(true);
    plain.set_connect_timeout(Some(REMOTE_CONNECT_TIME));
    plain
}

fn connections<B>(connector: Connector) -> Connections<Connector, B>
where
    B: Body + Send,
    B::Data: Send,
{
    Connections::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(REMOTE_IDLE_TIME)
        .build(connector)
}

fn authorization(token: &BearerToken) -> Result<HeaderValue> {
    let value = HeaderValue::try_from(format!("Bearer {}", token.secret()));
    let mut value = value.map_err(|_| Error::invalid("the token is none: it fits no header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The error that an answer tells, if it tells one.
fn refused(reply: &Reply) -> Option<Error> {
    if reply.status.is_success() {
        return None;
    }
    Some(match serde_json::from_slice::<Problem>(&reply.body) {
        Ok(problem) => Error::from(&problem),
        Err(_) => Error::new(
            ErrorKind::Unavailable,
            format!("what answered with {} is no node", reply.status),
        ),
    })
}

/// The error, saying that an attempt before it may have been applied.
fn marked(error: Error, is_ambiguous: bool) -> Error {
    match is_ambiguous {
        true => error.with_may_have_applied(),
        false => error,
    }
}

/// An error with all that lies beneath it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(beneath) = next {
        text = format!("{text}: {beneath}");
        next = beneath.source();
    }
    text
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
