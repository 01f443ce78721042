//! Real stylesheets give the same bytes as xsltproc gives.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "these are tests, all of it"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use efflux_xslt::{Method, Output, Parameters, Stylesheet};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// What xsltproc writes; it must be there, because without it nothing is compared.
fn xsltproc(stylesheet: &Path, document: &Path, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut command = Command::new("xsltproc");
    command.arg("--nonet");
    for (name, value) in parameters {
        command.args(["--stringparam", name, value]);
    }
    let output = command
        .args([stylesheet, document])
        .output()
        .expect("xsltproc is not installed: run `cargo xtask setup`");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn check(stylesheet: &str, document: &str, parameters: &[(&str, &str)]) -> Output {
    let (stylesheet, document) = (data(stylesheet), data(document));
    let given = parameters
        .iter()
        .try_fold(Parameters::default(), |given, (name, value)| {
            given.with(name, value)
        })
        .unwrap();
    let compiled = Stylesheet::compile(&fs::read(&stylesheet).unwrap()).unwrap();
    let output = compiled
        .apply(&fs::read(&document).unwrap(), &given)
        .unwrap();
    let expect = xsltproc(&stylesheet, &document, parameters);
    assert!(!expect.is_empty());
    assert_eq!(
        String::from_utf8_lossy(&output.bytes),
        String::from_utf8_lossy(&expect),
        "{}",
        stylesheet.display()
    );
    assert_eq!(output.bytes, expect);
    output
}

macro_rules! same_as_xsltproc {
    ($($name:ident: $document:literal, $method:ident, $media_type:literal, $encoding:literal;)*) => {$(
        #[test]
        fn $name() {
            let stylesheet = concat!(stringify!($name), ".xsl");
            let output = check(stylesheet, concat!($document, ".xml"), &[]);
            assert_eq!(output.method, Method::$method);
            assert_eq!(output.media_type, $media_type);
            assert_eq!(output.encoding, $encoding);
        }
    )*};
}

same_as_xsltproc! {
    html_table: "orders", Html, "text/html", "UTF-8";
    csv: "orders", Text, "text/csv", "UTF-8";
    sorted: "orders", Xml, "application/xml", "UTF-8";
    grouped: "orders", Xml, "application/xml", "UTF-8";
    recursive: "orders", Text, "text/plain", "UTF-8";
    modes: "article", Html, "text/html", "US-ASCII";
    numbers: "orders", Text, "text/plain", "UTF-8";
    namespaces: "orders", Xml, "application/xml", "UTF-8";
    attribute_sets: "orders", Xml, "application/xml", "UTF-8";
    whitespace: "article", Xml, "application/xml", "UTF-8";
    latin: "orders", Xml, "application/xml", "ISO-8859-1";
    utf16: "orders", Xml, "application/xml", "UTF-16";
    extensions: "orders", Xml, "application/xml", "UTF-8";
    priorities: "article", Text, "text/plain", "UTF-8";
}

#[test]
fn parameters_are_texts_whatever_quotes_they_have() {
    let parameters = [
        ("region", "west"),
        ("quotes", "\"both ' of them\" and document('x')"),
    ];
    // xsltproc refuses a text with both kinds of quotes, so it is held against itself elsewhere.
    check(
        "parameters.xsl",
        "orders.xml",
        &[parameters[0], ("quotes", "it's")],
    );
    let given = Parameters::default()
        .with(parameters[0].0, parameters[0].1)
        .unwrap()
        .with("quotes", "it's document('x')")
        .unwrap();
    let compiled = Stylesheet::compile(&fs::read(data("parameters.xsl")).unwrap()).unwrap();
    let output = compiled
        .apply(&fs::read(data("orders.xml")).unwrap(), &given)
        .unwrap();
    assert!(
        String::from_utf8(output.bytes)
            .unwrap()
            .contains("quotes=\"it's document('x')\"")
    );
}
