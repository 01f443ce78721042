//! The topics of a node, and the work that it does for its clients.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use efflux_particle::{ConsumerName, Id, Particle, TopicName};
use http::Method;

use super::address::Address;
use super::call::{Call, topic_path, unreadable};
use super::client::Client;
use super::consumer::{RemoteConsumer, consumer_path};
use super::frames::{Order, particles};
use super::log::RemoteLog;
use super::pieces::pieces;
use super::restoration::RemoteRestoring;
use super::wire::{
    ConsumerNames, ConsumerSettings, ConsumerShown, ConsumerStateShown, FRAME, FRAMES, RESTORATION,
    RestorationLine, TopicNames, TopicSettings, TopicShown, encode_text,
};
use crate::consumer::{ConsumerOptions, ConsumerState, ConsumerStatus};
use crate::error::{Error, ErrorKind, Result};
use crate::find::FindOptions;
use crate::host::{Found, Host, HostedConsumer, HostedRestoring};
use crate::limits::{READ_BYTES_DEFAULT, READ_PARTICLES_DEFAULT};
use crate::log::{Backend, Journal, Restoring, TopicLog};
use crate::options::{Access, StoreOptions, TopicOptions};
use crate::query::Query;

/// The topics of a node.
#[derive(Debug)]
pub(crate) struct RemoteBackend {
    client: Arc<Client>,
    is_writable: bool,
}

impl RemoteBackend {
    /// Opens the store that the node at this address hosts.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached.
    pub(crate) async fn open(address: Address, options: &StoreOptions) -> Result<Self> {
        let client = Arc::new(Client::start(address, options)?);
        // A node that wants a token says so here, and not with the first topic.
        client.send(Call::get("/v1/topics".to_owned())).await?;
        Ok(Self {
            client,
            is_writable: options.access == Access::Write,
        })
    }

    async fn shown(&self, name: &TopicName) -> Result<TopicShown> {
        let call = Call::get(topic_path(name, ""));
        self.client.send(call).await?.json()
    }

    fn log(&self, name: &TopicName, shown: &TopicShown) -> Result<Arc<dyn TopicLog>> {
        let head = shown.head.parse();
        let head = head.map_err(|error| unreadable(&format!("{error}")))?;
        let log = RemoteLog::new(
            name.clone(),
            Arc::clone(&self.client),
            self.is_writable,
            head,
        );
        Ok(Arc::new(log))
    }
}

#[async_trait]
impl Backend for RemoteBackend {
    async fn create(&self, name: &TopicName, options: &TopicOptions) -> Result<Arc<dyn TopicLog>> {
        let settings = TopicSettings::from(options);
        let call = Call::new(Method::PUT, topic_path(name, "")).with_json(&settings)?;
        let reply = self.client.send(call).await?;
        if reply.status != http::StatusCode::CREATED {
            return Err(Error::conflict(format!("topic {name} is there already")));
        }
        self.log(name, &reply.json()?)
    }

    async fn open(&self, name: &TopicName) -> Result<Arc<dyn TopicLog>> {
        self.log(name, &self.shown(name).await?)
    }

    async fn options(&self, name: &TopicName) -> Result<TopicOptions> {
        self.shown(name).await?.settings.options()
    }

    async fn restore(
        &self,
        name: &TopicName,
        _options: &TopicOptions,
    ) -> Result<Box<dyn Restoring>> {
        Err(Error::invalid(format!(
            "topic {name} is restored by the node, not here: use `Restoration`"
        )))
    }

    async fn list(&self) -> Result<Vec<TopicName>> {
        let call = Call::get("/v1/topics".to_owned());
        let names: TopicNames = self.client.send(call).await?.json()?;
        let names = names.topics.iter().map(|name| name.parse());
        names.collect::<Result<_, _>>().map_err(Error::from)
    }

    async fn delete(&self, name: &TopicName) -> Result<()> {
        let confirm = format!("?confirm={}", encode_text(name.as_str()));
        let call = Call::new(Method::DELETE, topic_path(name, &confirm));
        self.client.send(call).await.map(drop)
    }

    async fn consumers(&self, topic: &TopicName) -> Result<Vec<ConsumerName>> {
        let call = Call::get(topic_path(topic, "/consumers"));
        let names: ConsumerNames = self.client.send(call).await?.json()?;
        let names = names.consumers.iter().map(|name| name.parse());
        names.collect::<Result<_, _>>().map_err(Error::from)
    }

    async fn journal(
        &self,
        topic: &TopicName,
        consumer: &ConsumerName,
    ) -> Result<Arc<dyn Journal>> {
        self.shown(topic).await?;
        Err(Error::invalid(format!(
            "the journal of consumer {consumer} is kept by the node: use the consumer itself, and back \
             up the node's own folder, which can be read while it runs"
        )))
    }

    async fn close(&self) {}

    fn index_folder(&self) -> Option<PathBuf> {
        None
    }

    fn is_writable(&self) -> bool {
        self.is_writable
    }
}

#[async_trait]
impl Host for RemoteBackend {
    async fn find(&self, topic: &TopicName, query: &Query, options: &FindOptions) -> Result<Found> {
        let limit = options.limit.unwrap_or(READ_PARTICLES_DEFAULT);
        let mut asked = format!(
            "/particles?from={}&limit={}&bytes={READ_BYTES_DEFAULT}&reverse={}&query={}",
            options.from,
            limit.min(READ_PARTICLES_DEFAULT),
            options.reverse,
            encode_text(&query.to_string()),
        );
        if let Some(until) = options.until {
            asked.push_str(&format!("&until={until}"));
        }
        let call = Call::get(topic_path(topic, &asked)).accepting(FRAMES);
        let reply = self.client.send(call).await?;
        let head = reply.head()?.sequence;
        let particles = particles(topic, &reply.body, Order::Some)?;
        let mut all = particles.iter();
        match all.all(|particle| query.matches(particle.metadata())) {
            true => Ok(Found { particles, head }),
            false => Err(unreadable(
                "it holds a particle that does not match the query",
            )),
        }
    }

    async fn by_id(&self, topic: &TopicName, id: &Id) -> Result<Option<Particle>> {
        let path = topic_path(topic, &format!("/ids/{}", encode_text(&id.to_string())));
        let body = match self.client.send(Call::get(path).accepting(FRAME)).await {
            Ok(reply) => reply.body,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // It is the particle that is not there, or the topic.
                return self.shown(topic).await.map(|_| None);
            }
            Err(error) => return Err(error),
        };
        let found = particles(topic, &body, Order::Some)?;
        match found.into_iter().next().filter(|found| found.id() == *id) {
            Some(found) => Ok(Some(found)),
            None => Err(unreadable("it is another particle")),
        }
    }

    async fn consumer(
        &self,
        topic: &TopicName,
        name: &ConsumerName,
        options: &ConsumerOptions,
    ) -> Result<Arc<dyn HostedConsumer>> {
        let settings = ConsumerSettings::from(options);
        let call = Call::new(Method::PUT, consumer_path(topic, name, "")).with_json(&settings)?;
        self.client.send(call.repeatable()).await?;
        let client = Arc::clone(&self.client);
        Ok(Arc::new(RemoteConsumer::new(client, topic, name)))
    }

    async fn inspect(&self, topic: &TopicName, name: &ConsumerName) -> Result<ConsumerStatus> {
        let call = Call::get(consumer_path(topic, name, ""));
        let shown: ConsumerShown = self.client.send(call).await?.json()?;
        shown.status()
    }

    async fn consumer_state(
        &self,
        topic: &TopicName,
        name: &ConsumerName,
    ) -> Result<ConsumerState> {
        let call = Call::get(consumer_path(topic, name, "/state"));
        let shown: ConsumerStateShown = self.client.send(call).await?.json()?;
        shown.state().map(|(_, state)| state)
    }

    async fn restore(
        &self,
        topic: &TopicName,
        options: &TopicOptions,
    ) -> Result<Box<dyn HostedRestoring>> {
        let (sender, body) = pieces();
        let call = Call::post(topic_path(topic, "/restoration")).with_body(RESTORATION, "");
        let mut restoring = RemoteRestoring::new(sender, self.client.stream(call, body));
        let settings = RestorationLine::Settings(TopicSettings::from(options));
        restoring.send(settings.print()).await?;
        Ok(Box::new(restoring))
    }

    async fn delete_consumer(&self, topic: &TopicName, name: &ConsumerName) -> Result<()> {
        let call = Call::new(Method::DELETE, consumer_path(topic, name, ""));
        self.client.send(call).await.map(drop)
    }
}
