//! The console: what it may do, who may see it, and that it shows what the node tells.

use std::path::Path;
use std::process::Command;

use efflux_node::particle::Message;
use efflux_node::pipelines::Folder;
use efflux_node::server::{Access, Server, ServerOptions, Tokens};
use efflux_node::storage::{Clock, Consumer, ConsumerOptions, Store, SystemClock, TopicOptions};
use http::{Method, StatusCode};
use regex::Regex;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::client::{Answer, Node};
use crate::program::{serve, signal};

const PAGE: &str = "/console";

/// The scripts that the page consists of.
const SCRIPTS: [&str; 6] = [
    "console.js",
    "figures.js",
    "interface.js",
    "pipelines.js",
    "table.js",
    "topics.js",
];

/// What else it consists of, with its media type.
const OTHERS: [(&str, &str); 3] = [
    ("console.css", "text/css; charset=utf-8"),
    ("icon.svg", "image/svg+xml"),
    ("version.txt", "text/plain; charset=utf-8"),
];

/// What would make markup or a program of a text, keep it beyond the tab, or lead elsewhere.
const MAKING: [&str; 14] = [
    "innerHTML",
    "outerHTML",
    "insertAdjacent",
    "ContextualFragment",
    "DOMParser",
    "document.write",
    "setHTML",
    "srcdoc",
    "eval(",
    "Function(",
    "localStorage",
    "cookie",
    ".href",
    "window.open",
];

/// All paths of the console, with their media types.
fn all() -> Vec<(String, &'static str)> {
    let scripts = SCRIPTS.map(|name| (name, "text/javascript; charset=utf-8"));
    let files = scripts.into_iter().chain(OTHERS);
    let files = files.map(|(name, media_type)| (format!("{PAGE}/{name}"), media_type));
    let page = (PAGE.to_owned(), "text/html; charset=utf-8");
    std::iter::once(page).chain(files).collect()
}

/// A token that may do everything, in a file of tokens.
fn guarded(folder: &Path) -> (Access, String) {
    let path = folder.join("tokens.toml");
    let mut tokens = Tokens::read(&path).unwrap();
    let all = ["read:*", "consume:*", "admin:*"];
    let token = efflux_node::server::NewToken {
        name: "operator".to_owned(),
        expires: None,
        requests_per_second: None,
        permissions: all.iter().map(|it| it.parse().unwrap()).collect(),
    };
    let (_, secret) = tokens.add(token, SystemClock.now()).unwrap();
    tokens.write(&path).unwrap();
    (Access::tokens(&path).unwrap(), secret)
}

#[tokio::test]
async fn the_page_and_its_files_need_no_token_and_may_do_little() {
    let folder = tempfile::tempdir().unwrap();
    let (access, _) = guarded(folder.path());
    let node = Node::start_guarded(ServerOptions::default(), access).await;
    for (path, media_type) in all() {
        let answer = node.client.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("content-type"), media_type);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        holds_policy(answer.header("content-security-policy"));

        let head = node.client.send(Method::HEAD, &path, &[], "").await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
        for name in ["content-type", "etag", "content-security-policy"] {
            assert_eq!(head.header(name), answer.header(name), "{path} {name}");
        }
        let length = answer.body.len().to_string();
        assert_eq!(head.header("content-length"), length, "{path}");
        is_asked_for_again(&node, &path, &answer).await;
    }
    // What the page would show is told to those with a token only.
    for path in ["/v1/topics", "/v1/pipelines"] {
        node.client.get(path).await.refused(401, "unauthenticated");
    }
    node.stop().await;
}

fn holds_policy(policy: &str) {
    let mut told: Vec<_> = policy.split("; ").collect();
    told.sort_unstable();
    let mut expected = [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ];
    expected.sort_unstable();
    assert_eq!(told, expected);
}

async fn is_asked_for_again(node: &Node, path: &str, answer: &Answer) {
    assert!(answer.header("cache-control").contains("no-cache"));
    let known = [("if-none-match", answer.header("etag"))];
    let again = node.client.send(Method::GET, path, &known, "").await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
    assert!(again.body.is_empty());
    let other = [("if-none-match", "\"other\"")];
    let whole = node.client.send(Method::GET, path, &other, "").await;
    assert_eq!(whole.body, answer.body, "{path}");
}

#[tokio::test]
async fn what_the_console_does_not_have_is_refused_as_elsewhere() {
    let node = Node::start().await;
    for path in [
        "/console/none.js",
        "/console/..%2fserver.rs",
        "/console/index.html",
    ] {
        node.client.get(path).await.refused(404, "not-found");
    }
    node.client
        .get("/console/a/b")
        .await
        .refused(404, "not-found");
    for path in [PAGE, "/console/console.js"] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let refused = node.client.send(method, path, &[], "").await;
            refused.refused(405, "method-not-allowed");
            assert_eq!(refused.header("allow"), "GET,HEAD");
        }
        let asked = node.client.get(&format!("{path}?x=1")).await;
        asked.refused(400, "invalid");
        // What is refused is no page.
        let nothing = "default-src 'none'; sandbox";
        assert_eq!(asked.header("content-security-policy"), nothing);
    }
    node.stop().await;
}

#[tokio::test]
async fn a_node_without_its_console_has_none_of_its_files() {
    let mut options = ServerOptions::default();
    options.console = false;
    let node = Node::start_with("mem:", options).await;
    for (path, _) in all() {
        node.client.get(&path).await.refused(404, "not-found");
    }
    node.stop().await;
}

#[tokio::test]
async fn the_program_serves_its_console_unless_it_is_told_not_to() {
    for (options, expected) in [(&[][..], 200), (&["--no-console"], 404)] {
        let (mut serving, client) = serve("mem:", options);
        assert_eq!(client.get(PAGE).await.status, expected, "{options:?}");
        signal(&serving, "TERM");
        assert!(serving.wait().unwrap().success());
    }
}

#[tokio::test]
async fn a_node_without_tokens_shows_its_console_to_its_own_machine_only() {
    let node = Node::start().await;
    for headers in [
        [("origin", "https://evil.example")],
        [("host", "evil.example")],
    ] {
        let refused = node.client.send(Method::GET, PAGE, &headers, "").await;
        refused.refused(403, "forbidden");
    }
    node.stop().await;
}

#[tokio::test]
async fn the_page_holds_no_script_or_style_and_leads_nowhere_else() {
    let node = Node::start().await;
    let page = node.client.get(PAGE).await.text();
    let scripts = Regex::new(r"(?s)<script([^>]*)>(.*?)</script>").unwrap();
    let found: Vec<_> = scripts.captures_iter(&page).collect();
    assert_eq!(found.len(), 1);
    assert!(found[0][1].contains("src=\"console/console.js\"") && found[0][2].is_empty());
    let inline =
        Regex::new(r#"<style|<base|http-equiv|[ "]style=|[ "]on[a-z]+=|javascript:|data:"#);
    assert!(!inline.unwrap().is_match(&page.to_ascii_lowercase()));
    let named = Regex::new(r#"(?:src|href)="([^"]+)""#).unwrap();
    let known = all();
    for name in named.captures_iter(&page) {
        let path = format!("/{}", &name[1]);
        assert!(known.iter().any(|(known, _)| *known == path), "{path}");
    }
    let elsewhere = Regex::new(r"https?://|@import|url\(").unwrap();
    let imports = Regex::new(r#"from "\./([a-z.]+)""#).unwrap();
    for (path, media_type) in known {
        let text = node.client.get(&path).await.text();
        // An image says of what it is made by a name that looks as a place.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.is_match(&text), "{path}");
        if media_type.contains("javascript") {
            for made in MAKING {
                assert!(!text.contains(made), "{path}: {made}");
            }
            for import in imports.captures_iter(&text) {
                assert!(SCRIPTS.contains(&&import[1]), "{path}: {}", &import[1]);
            }
        }
    }
    node.stop().await;
}

/// A folder with the page's files, as a node gives them, and those of the tests.
async fn written(node: &Node) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    for name in SCRIPTS {
        write(
            name,
            &node.client.get(&format!("{PAGE}/{name}")).await.text(),
        );
    }
    write("index.html", &node.client.get(PAGE).await.text());
    write("package.json", r#"{"type":"module"}"#);
    write("browser.mjs", include_str!("console/browser.mjs"));
    write("figures.mjs", include_str!("console/figures.mjs"));
    write("locked.mjs", include_str!("console/locked.mjs"));
    write("page.mjs", include_str!("console/page.mjs"));
    folder
}

/// Runs a script in that folder, which must end well.
async fn run(folder: &Path, script: &str, node: &Node, token: &str) {
    let mut command = Command::new("node");
    command.arg(script).current_dir(folder).env("TOKEN", token);
    command.env("BASE", format!("http://{}/console", node.address));
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let missing = |error| panic!("{error}: Node.js is not installed: run `cargo xtask setup`");
    let output = output.unwrap().unwrap_or_else(missing);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {told}");
}

#[tokio::test]
async fn what_the_page_computes_is_right() {
    let node = Node::start().await;
    let folder = written(&node).await;
    run(folder.path(), "figures.mjs", &node, "").await;
    node.stop().await;
}

const GOOD: &str = "version = 1\n[pipeline.good]\nconnector = { topic = { name = \"quiet\" } }\n\
                    router = { topic = \"copies\" }\n";

/// A node with tokens, which runs the pipelines of a folder.
async fn hosting(folder: &Path, access: Access) -> Node {
    let store = Store::open("mem:").await.unwrap();
    let orders = "orders".parse().unwrap();
    let orders = store.create_topic(&orders, TopicOptions::default()).await;
    let orders = orders.unwrap();
    for payload in ["one", "two"] {
        orders.append(Message::new(payload)).await.unwrap();
    }
    let billing = "billing".parse().unwrap();
    let opened = Consumer::open(&orders, &billing, ConsumerOptions::default()).await;
    drop(opened.unwrap());
    let server = Server::bind(store, "127.0.0.1:0", ServerOptions::default()).await;
    let (_, reloads) = mpsc::channel(1);
    let server = server.unwrap().with_access(access);
    Node::run(server.with_pipelines(Folder::new(folder), |_| None, reloads))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_what_the_node_tells_and_operates_its_pipelines() {
    let place = tempfile::tempdir().unwrap();
    let (access, token) = guarded(place.path());
    let pipelines = place.path().join("pipelines");
    std::fs::create_dir(&pipelines).unwrap();
    std::fs::write(pipelines.join("good.toml"), GOOD).unwrap();
    let hostile = "name = \"a\", store = \"file:/dev/null/<img src=x onerror=alert(1)>\"";
    let bad = GOOD.replace("good", "bad");
    let bad = bad.replace("name = \"quiet\"", hostile);
    std::fs::write(pipelines.join("bad.toml"), bad).unwrap();
    let node = hosting(&pipelines, access).await;
    let header = [("authorization", &*format!("Bearer {token}"))];
    loop {
        let listed = node.client.send(Method::GET, "/v1/pipelines", &header, "");
        let listed = listed.await.text();
        if listed.contains("\"running\"") && listed.contains("\"failed\"") {
            break;
        }
        tokio::task::yield_now().await;
    }
    let folder = written(&node).await;
    run(folder.path(), "locked.mjs", &node, &token).await;
    let later = GOOD.replace("good", "later").replace("copies", "no name");
    std::fs::write(folder.path().join("later"), later).unwrap();
    std::os::unix::fs::symlink(&pipelines, folder.path().join("pipelines")).unwrap();
    run(folder.path(), "page.mjs", &node, &token).await;
    node.stop().await;
}
