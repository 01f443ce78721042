//! Clients that are known by a certificate.

use std::fs;

use efflux_node::server::{Access, Config, NewToken, Server, ServerOptions, Tls, TlsFiles, Tokens};
use efflux_node::storage::{
    ClientCertificate, Clock, ErrorKind, Store, StoreOptions, SystemClock, TopicOptions,
};
use http::{Method, StatusCode};
use tempfile::TempDir;

use crate::client::Node;
use crate::secure_client::{SecureClient, tls_file};

const DECLARED: &str = "\
[[certificate]]
name = \"Billing.example\"
permissions = [\"read:orders\", \"admin:orders\"]
";

/// A node that believes the tests' authority of clients, a token for topics of audits, and the
/// folder of their file.
async fn started() -> (Node, String, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    fs::write(&path, DECLARED).unwrap();
    // Whoever makes a token leaves what is said of certificates.
    let mut tokens = Tokens::read(&path).unwrap();
    let token = NewToken {
        name: "auditor".to_owned(),
        expires: None,
        requests_per_second: None,
        permissions: vec!["read:efflux.*".parse().unwrap()],
    };
    let (_, secret) = tokens.add(token, SystemClock.now()).unwrap();
    tokens.write(&path).unwrap();
    let store = Store::open("mem:").await.unwrap();
    let server = Server::bind(store, "127.0.0.1:0", ServerOptions::default());
    let files = TlsFiles::new(tls_file("cert.pem"), tls_file("key.pem"));
    let tls = Tls::read(files.with_client_ca(tls_file("client-ca.pem"))).unwrap();
    let server = server.await.unwrap().with_tls(tls);
    let node = Node::run(server.with_access(Access::tokens(&path).unwrap()));
    (node, secret, folder)
}

#[tokio::test]
async fn a_certificate_allows_what_is_said_of_its_name_and_nothing_else() {
    let (node, secret, _folder) = started().await;
    let mut billing = SecureClient::connect(node.address, Some("billing")).await;
    let made = billing.send(Method::PUT, "/v1/topics/orders", &[]).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let read = billing.get("/v1/topics/orders").await;
    assert_eq!(read.status, StatusCode::OK, "{read:?}");
    for path in ["/v1/topics/secrets", "/v1/topics/efflux.audit", "/metrics"] {
        billing.get(path).await.refused(403, "forbidden");
    }
    let append = "/v1/topics/orders/particles";
    let appended = billing.send(Method::POST, append, &[]).await;
    appended.refused(403, "forbidden");

    let mut unknown = SecureClient::connect(node.address, Some("unknown")).await;
    unknown.get("/v1/topics").await.refused(403, "forbidden");
    let mut nobody = SecureClient::connect(node.address, None).await;
    let refused = nobody.get("/v1/topics/orders").await;
    refused.refused(401, "unauthenticated");

    // A token that is sent says who asks, and the trail names the certificate's owner.
    let bearer = format!("Bearer {secret}");
    let shown = [("authorization", bearer.as_str())];
    for client in [&mut billing, &mut unknown, &mut nobody] {
        let trail = "/v1/topics/efflux.audit/particles?from=1";
        let read = client.send(Method::GET, trail, &shown).await;
        assert!(
            read.text().contains("certificate:Billing.example"),
            "{read:?}"
        );
        let orders = client.send(Method::GET, "/v1/topics/orders", &shown).await;
        orders.refused(403, "forbidden");
        let wrong = [("authorization", "Bearer efflux_0")];
        let orders = client.send(Method::GET, "/v1/topics/orders", &wrong).await;
        orders.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_not_let_in() {
    let (node, _, _folder) = started().await;
    if let Ok(mut stranger) = SecureClient::try_connect(node.address, Some("stranger")).await {
        // With TLS 1.3 a client is told when it has begun to send.
        let answer = stranger.try_send(Method::GET, "/healthz", &[]).await;
        assert!(answer.is_none(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_page_in_a_browser_is_not_let_in_by_its_users_certificate() {
    let (node, _, _folder) = started().await;
    let mut billing = SecureClient::connect(node.address, Some("billing")).await;
    for origin in ["https://evil.example", "https://localhost", "null"] {
        let headers = [("origin", origin)];
        let made = billing
            .send(Method::PUT, "/v1/topics/orders", &headers)
            .await;
        made.refused(403, "forbidden");
    }
}

#[tokio::test]
async fn a_store_is_opened_by_a_certificate() {
    let (node, _, _folder) = started().await;
    let url = format!("https://{}", node.address);
    let believing = StoreOptions::default().with_ca_file(tls_file("cert.pem"));
    let refused = Store::open_with(&url, believing.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
    let certificate = ClientCertificate {
        cert: tls_file("billing.pem"),
        key: tls_file("billing-key.pem"),
    };
    let options = believing.with_client_certificate(certificate);
    let store = Store::open_with(&url, options).await.unwrap();
    let name = "orders".parse().unwrap();
    let made = store.create_topic(&name, TopicOptions::default()).await;
    assert!(made.is_ok(), "{made:?}");
}

#[test]
fn an_authority_of_clients_needs_a_file_that_says_what_they_may_do() {
    let mut config = Config::default();
    let files = TlsFiles::new(tls_file("cert.pem"), tls_file("key.pem"));
    config.tls = Some(files.clone().with_client_ca(tls_file("client-ca.pem")));
    config.listen = Some("0.0.0.0:1".parse().unwrap());
    assert!(
        config
            .prepare()
            .unwrap_err()
            .to_string()
            .contains("[[certificate]]")
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    fs::write(&path, DECLARED).unwrap();
    config.tokens = Some(path);
    assert!(config.prepare().is_ok());
    config.tls = Some(files.with_client_ca(tls_file("key.pem")));
    assert!(config.prepare().is_err());
}
