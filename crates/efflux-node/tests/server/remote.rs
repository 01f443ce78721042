//! The remote backend against a real node: the conformance suite, consumers, finds, failures.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use efflux_node::particle::{Message, Particle, Sequence};
use efflux_node::server::{Server, ServerOptions};
use efflux_node::storage::conformance::Fixture;
use efflux_node::storage::{
    Access, Consumer, ConsumerOptions, ErrorKind, FindOptions, Query, Result, Start, Store,
    StoreOptions, TopicOptions, conformance_suite,
};
use tokio::sync::oneshot;

use crate::client::Node;

/// A node of one's own, on which the store of each test is opened from afar.
#[derive(Debug)]
struct RemoteFixture {
    url: String,
    _stop: Arc<oneshot::Sender<()>>,
}

impl RemoteFixture {
    async fn start() -> Self {
        let store = Store::open("mem:").await.unwrap();
        let server = Server::bind(store, "127.0.0.1:0", ServerOptions::default())
            .await
            .unwrap();
        let url = format!("http://{}", server.address());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(server.run(async { drop(stopped.await) }));
        Self {
            url,
            _stop: Arc::new(stop),
        }
    }
}

#[async_trait]
impl Fixture for RemoteFixture {
    async fn open(&self) -> Result<Store> {
        Store::open(&self.url).await
    }

    async fn reopen(&self, store: Store) -> Result<Store> {
        store.close().await?;
        drop(store);
        self.open().await
    }

    async fn open_beside(&self, options: StoreOptions) -> Option<Result<Store>> {
        // Any number of clients write: there is no second writer to be refused.
        match options.access {
            Access::Read => Some(Store::open_with(&self.url, options).await),
            Access::Write => None,
        }
    }
}

conformance_suite!(hosted node, (RemoteFixture::start().await, ()));

async fn store(node: &Node) -> Store {
    Store::open(&format!("http://{}", node.address))
        .await
        .unwrap()
}

#[tokio::test]
async fn clients_share_a_consumer_that_the_node_keeps() {
    let node = Node::with_orders().await;
    let (one, other) = (store(&node).await, store(&node).await);
    let orders = one.topic(&"orders".parse().unwrap()).await.unwrap();
    let messages: Vec<_> = (0..6)
        .map(|number| Message::new(number.to_string()))
        .collect();
    orders.append_batch(messages).await.unwrap();
    let name = "billing".parse().unwrap();
    let options = ConsumerOptions::default().with_lease(Duration::from_secs(600));
    let first = Consumer::open(&orders, &name, options.clone())
        .await
        .unwrap();
    let orders_too = other.topic(orders.name()).await.unwrap();
    let second = Consumer::open(&orders_too, &name, options).await.unwrap();
    assert_eq!((second.name(), second.topic_name()), (&name, orders.name()));

    let wait = Duration::ZERO;
    let mine = first.receive(3, wait).await.unwrap();
    let theirs = second.receive(9, wait).await.unwrap();
    let places = |all: &[efflux_node::storage::Delivery]| {
        all.iter()
            .map(|it| it.particle.sequence().get())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (places(&mine), places(&theirs)),
        (vec![1, 2, 3], vec![4, 5, 6])
    );
    let tickets: Vec<_> = mine.iter().map(|it| it.ticket).collect();
    second.commit(&tickets).await.unwrap();
    second.commit(&tickets).await.unwrap();
    let back: Vec<_> = theirs.iter().map(|it| it.ticket).collect();
    first.extend(&back, Duration::from_secs(60)).await.unwrap();
    first.rollback(&back, wait).await.unwrap();
    let again = first.receive(9, wait).await.unwrap();
    assert_eq!((places(&again), again[0].deliveries), (vec![4, 5, 6], 2));
    let stale = second.commit(&back).await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Conflict);

    let status = first.status().await.unwrap();
    assert_eq!(
        (status.in_flight, status.lag, status.position),
        (3, 3, Sequence::new(4))
    );
    first.seek(Start::Root).await.unwrap();
    assert_eq!(Consumer::inspect(&orders, &name).await.unwrap().lag, 6);
    assert_eq!(
        Consumer::list(&orders).await.unwrap(),
        std::slice::from_ref(&name)
    );
    Consumer::delete(&orders, &name).await.unwrap();
    assert_eq!(
        Consumer::inspect(&orders, &name).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_find_is_done_by_the_node_and_sees_no_more_than_was_there() {
    let node = Node::with_orders().await;
    let store = store(&node).await;
    let orders = store.topic(&"orders".parse().unwrap()).await.unwrap();
    let messages = (0..3000).map(|number| {
        let message = Message::new("x").with_data_type(format!("type-{}", number % 2));
        message.with_id(format!("id-{number}").parse().unwrap())
    });
    orders.append_batch(messages.collect()).await.unwrap();
    let query: Query = "type = type-1".parse().unwrap();
    for reverse in [false, true] {
        let options = FindOptions::default().with_reverse(reverse);
        let mut finder = orders.find(&query, options).await.unwrap();
        let mut places = Vec::new();
        loop {
            let batch = finder.next_batch().await.unwrap();
            if batch.is_empty() {
                break;
            }
            places.extend(batch.iter().map(|it| it.sequence().get()));
            orders
                .append(Message::new("later").with_data_type("type-1"))
                .await
                .unwrap();
        }
        let before = if reverse {
            orders.head().sequence.get()
        } else {
            3000
        };
        let last = places.iter().copied().max().unwrap();
        assert!(
            places.len() >= 1500 && last <= before,
            "{} {last}",
            places.len()
        );
        assert!(places.is_sorted_by(|a, b| if reverse { a > b } else { a < b }));
    }
    let limited = FindOptions::default().with_limit(7);
    let found = orders
        .find(&query, limited)
        .await
        .unwrap()
        .next_batch()
        .await
        .unwrap();
    assert_eq!(found.len(), 7);
    let by_id = orders
        .get_id(&"id-17".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(by_id.sequence().get(), 18);
    assert!(
        orders
            .get_id(&"nowhere".parse().unwrap())
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_follower_sees_what_another_client_appends() {
    let node = Node::with_orders().await;
    let store = store(&node).await;
    let orders = store.topic(&"orders".parse().unwrap()).await.unwrap();
    let mut follower = orders.follow(Sequence::FIRST);
    let following = tokio::spawn(async move {
        let mut payloads = Vec::new();
        while payloads.len() < 3 {
            let batch = follower.next_batch().await.unwrap();
            payloads.extend(batch.iter().map(Particle::payload));
        }
        payloads
    });
    for payload in ["one", "two", "three"] {
        node.client.append(payload, &[]).await;
    }
    assert_eq!(following.await.unwrap(), ["one", "two", "three"]);
    assert_eq!(orders.head().sequence.get(), 3);
}

#[tokio::test]
async fn a_node_that_is_not_there_is_unavailable_and_nothing_was_applied() {
    let node = Node::with_orders().await;
    let store = store(&node).await;
    let orders = store.topic(&"orders".parse().unwrap()).await.unwrap();
    orders.append(Message::new("one")).await.unwrap();
    let url = store.url().to_owned();
    node.stop().await;
    let refused = orders.append(Message::new("two")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(refused.is_retryable());
    assert_eq!(
        Store::open(&url).await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
}

#[test]
fn a_thread_without_a_runtime_may_append_and_wait() {
    let (address, stop) = {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async move {
                let store = Store::open("mem:").await.unwrap();
                let options = ServerOptions::default();
                let server = Server::bind(store, "127.0.0.1:0", options).await.unwrap();
                tell.send(server.address()).unwrap();
                server.run(async { drop(stopped.await) }).await.unwrap();
            });
        });
        (told.recv().unwrap(), stop)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let topic = runtime.block_on(async {
        let store = Store::open(&format!("http://{address}")).await.unwrap();
        let name = "orders".parse().unwrap();
        store
            .create_topic(&name, TopicOptions::default())
            .await
            .unwrap()
    });
    // Nothing drives the runtime any more.
    let receipt = topic.append_blocking(Message::new("one")).unwrap();
    assert_eq!(receipt.sequence, Sequence::FIRST);
    drop(stop);
}
