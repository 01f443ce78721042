//! What a stylesheet and a document may not do, and what becomes of those who try.

#![expect(clippy::expect_used, reason = "these are tests, all of it")]

use std::fs;
use std::sync::Arc;
use std::thread;

use efflux_xslt::limits::{DOCUMENT_BYTES_MAX, OUTPUT_BYTES_MAX, STYLESHEET_BYTES_MAX};
use efflux_xslt::{Output, Parameters, Stylesheet, XsltError, XsltErrorKind};
use proptest::prelude::*;

fn stylesheet(body: &str) -> String {
    format!(
        "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform' \
         xmlns:exsl='http://exslt.org/common' extension-element-prefixes='exsl'>\n{body}\n\
         </xsl:stylesheet>"
    )
}

fn apply(body: &str, document: &str) -> Result<Output, XsltError> {
    Stylesheet::compile(stylesheet(body).as_bytes())?
        .apply(document.as_bytes(), &Parameters::default())
}

fn check(body: &str, document: &str, kind: XsltErrorKind, says: &str) {
    let error = apply(body, document).expect_err("an error");
    assert_eq!(error.kind, kind, "{error}");
    assert!(
        error.message.contains(says),
        "{error} does not say {says:?}"
    );
}

const COPY: &str = "<xsl:template match='/'><xsl:copy-of select='.'/></xsl:template>";

fn in_template(content: &str) -> String {
    format!("<xsl:template match='/'><a>{content}</a></xsl:template>")
}

#[test]
fn a_stylesheet_reads_no_file() {
    let kind = XsltErrorKind::Transformation;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.xml");
    fs::write(&file, "<secret/>").unwrap();
    for address in [
        format!("{}", file.display()),
        format!("file://{}", file.display()),
    ] {
        let read = format!("<xsl:copy-of select=\"document('{address}')\"/>");
        check(&in_template(&read), "<a/>", kind, "refused");
        for element in ["include", "import"] {
            let other = format!("<xsl:{element} href='{address}'/>");
            check(&other, "<a/>", XsltErrorKind::Stylesheet, "refused");
        }
    }
    check(
        &in_template("<xsl:copy-of select=\"document('')\"/>"),
        "<a/>",
        kind,
        "refused",
    );
}

#[test]
fn a_stylesheet_asks_no_address() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let address = format!("http://{}/x.xml", server.local_addr().unwrap());
    let read = format!("<xsl:copy-of select=\"document('{address}')\"/>");
    check(
        &in_template(&read),
        "<a/>",
        XsltErrorKind::Transformation,
        "refused",
    );
    for element in ["include", "import"] {
        let other = format!("<xsl:{element} href='{address}'/>");
        check(&other, "<a/>", XsltErrorKind::Stylesheet, "refused");
    }
    let asked = server.accept();
    assert_eq!(asked.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_stylesheet_writes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("written.xml");
    let write = format!("<exsl:document href='{}'>x</exsl:document>", file.display());
    check(
        &in_template(&write),
        "<a/>",
        XsltErrorKind::Transformation,
        "refused",
    );
    let xslt11 = format!("<xsl:document href='{}'>x</xsl:document>", file.display());
    assert!(apply(&in_template(&xslt11), "<a/>").is_err());
    assert!(!file.exists());
}

#[test]
fn a_document_type_is_refused_with_all_that_it_could_declare() {
    let laughs = "<!DOCTYPE a [<!ENTITY x 'ha'><!ENTITY y '&x;&x;&x;&x;'>]><a>&y;</a>";
    let file = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>";
    let outside = "<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a.dtd'><a/>";
    let parameter =
        "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY % x SYSTEM 'file:///etc/passwd'>%x;]><a/>";
    for document in [laughs, file, outside, parameter] {
        check(COPY, document, XsltErrorKind::Document, "document type");
        let error = Stylesheet::compile(document.as_bytes()).unwrap_err();
        assert_eq!(error.kind, XsltErrorKind::Stylesheet);
    }
    let hidden = b"<?xml version='1.0' encoding='UTF-7'?>+ADw-!DOCTYPE a [+ADw-!ENTITY x 'ha'+AD4-]+AD4-<a/>";
    let copy = Stylesheet::compile(stylesheet(COPY).as_bytes()).unwrap();
    let error = copy.apply(hidden, &Parameters::default()).unwrap_err();
    assert!(error.message.contains("encoding"), "{error}");
}

#[test]
fn undeclared_entities_are_a_fault_of_the_document() {
    check(COPY, "<a>&nbsp;</a>", XsltErrorKind::Document, "nbsp");
}

#[test]
fn deep_and_long_documents_end_in_errors() {
    let deep = format!("{}{}", "<a>".repeat(300), "</a>".repeat(300));
    check(COPY, &deep, XsltErrorKind::Document, "deep");
    let endless = "<a>".repeat(1_000_000);
    check(COPY, &endless, XsltErrorKind::Document, "deep");
    let attribute = format!("<a b='{}'/>", "x".repeat(10_000_001));
    check(COPY, &attribute, XsltErrorKind::Document, "too long");
    let text = format!("<a>{}</a>", "x".repeat(DOCUMENT_BYTES_MAX));
    check(COPY, &text, XsltErrorKind::Document, "more than");
    let attributes: String = (0..200_000).map(|n| format!(" a{n}='{n}'")).collect();
    check(
        COPY,
        &format!("<a{attributes}/>"),
        XsltErrorKind::Document,
        "attributes",
    );
    let large = format!("<a>{}</a>", "<b/>".repeat(DOCUMENT_BYTES_MAX / 4));
    check(COPY, &large, XsltErrorKind::Document, "more than");
    let stylesheet = " ".repeat(STYLESHEET_BYTES_MAX + 1);
    assert!(
        Stylesheet::compile(stylesheet.as_bytes())
            .unwrap_err()
            .message
            .contains("more than")
    );
}

#[test]
fn recursion_without_an_end_ends_in_an_error_with_a_line() {
    let kind = XsltErrorKind::Transformation;
    let call = "<xsl:call-template name='r'/>";
    let plain = format!("<xsl:template match='/' name='r'>{call}</xsl:template>");
    check(&plain, "<a/>", kind, "infinite template recursion");
    assert_eq!(apply(&plain, "<a/>").unwrap_err().line, Some(2));
    let itself = "<xsl:template match='node()|/'><xsl:apply-templates select='.'/></xsl:template>";
    check(itself, "<a/>", kind, "infinite template recursion");
    let inner = format!(
        "<xsl:template match='/' name='r'>{}{call}{}</xsl:template>",
        "<xsl:for-each select='//*'><xsl:if test='1'><b><xsl:variable name='x'>".repeat(40),
        "</xsl:variable></b></xsl:if></xsl:for-each>".repeat(40)
    );
    check(&inner, "<a/>", kind, "infinite template recursion");
}

#[test]
fn deep_expressions_end_in_errors() {
    let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let value = format!("<xsl:value-of select='{deep}'/>");
    assert!(apply(&in_template(&value), "<a/>").is_err());
    let predicates = format!("a{}1{}", "[b".repeat(50_000), "]".repeat(50_000));
    assert!(
        apply(
            &in_template(&format!("<xsl:value-of select='{predicates}'/>")),
            "<a/>"
        )
        .is_err()
    );
    assert!(apply(&format!("<xsl:template match='{predicates}'/>"), "<a/>").is_err());
}

#[test]
fn an_output_is_bounded() {
    let twice = format!(
        "<xsl:template match='/'><a>{}</a></xsl:template>",
        "<xsl:copy-of select='/'/>".repeat(3)
    );
    let document = format!(
        "<a>{}</a>",
        "<b>text</b>".repeat(OUTPUT_BYTES_MAX / 3 / 11 + 1)
    );
    check(
        &twice,
        &document,
        XsltErrorKind::Transformation,
        "the output has",
    );
}

#[test]
fn a_message_that_terminates_is_the_error() {
    let stop =
        "<xsl:message terminate='yes'>no price in <xsl:value-of select='name(/*)'/></xsl:message>";
    check(
        &in_template(stop),
        "<order/>",
        XsltErrorKind::Transformation,
        "no price in order",
    );
    let told = "<xsl:message>runtime error: not really</xsl:message>";
    assert!(apply(&in_template(told), "<a/>").is_ok());
}

#[test]
fn stylesheets_with_faults_do_not_compile() {
    let kind = XsltErrorKind::Stylesheet;
    check("<xsl:template match='a['/>", "<a/>", kind, "expected");
    check(
        "<xsl:template match='/'><xsl:nothing/></xsl:template>",
        "<a/>",
        kind,
        "unknown",
    );
    check(
        &in_template("<xsl:value-of select='1 +'/>"),
        "<a/>",
        kind,
        "Invalid expression",
    );
    check("<xsl:template match='/'>", "<a/>", kind, "mismatch");
    let error = Stylesheet::compile(b"<html/>").unwrap_err();
    assert_eq!(error.kind, kind);
    let second = stylesheet("").replacen("version='1.0'", "version='2.0'", 1);
    assert!(Stylesheet::compile(second.as_bytes()).is_err());
}

#[test]
fn a_stylesheet_may_be_used_by_many_threads_at_once() {
    let body = "<xsl:key name='k' match='i' use='@g'/><xsl:template match='/'><o><xsl:for-each \
                select='//i[generate-id() = generate-id(key(\"k\", @g)[1])]'><xsl:sort select='@g'/>\
                <g n='{@g}' c='{count(key(\"k\", @g))}'/></xsl:for-each></o></xsl:template>";
    let shared = Arc::new(Stylesheet::compile(stylesheet(body).as_bytes()).unwrap());
    let document = |seed: usize| {
        let items: String = (0..200)
            .map(|n| format!("<i g='{}'/>", (n * seed) % 17))
            .collect();
        format!("<a>{items}</a>")
    };
    let expect: Vec<_> = (1..9)
        .map(|seed| {
            shared
                .apply(document(seed).as_bytes(), &Parameters::default())
                .unwrap()
        })
        .collect();
    let threads: Vec<_> = (1..9)
        .map(|seed| {
            let (shared, document) = (shared.clone(), document(seed));
            thread::spawn(move || {
                (0..50)
                    .map(|_| {
                        shared
                            .apply(document.as_bytes(), &Parameters::default())
                            .unwrap()
                    })
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    for (thread, expect) in threads.into_iter().zip(expect) {
        assert!(
            thread
                .join()
                .unwrap()
                .iter()
                .all(|output| *output == expect)
        );
    }
}

#[test]
fn each_call_is_told_its_own_fault() {
    let threads: Vec<_> = (0..8)
        .map(|n| {
            thread::spawn(move || {
                for _ in 0..50 {
                    let stop = format!("<xsl:message terminate='yes'>fault {n}</xsl:message>");
                    let error = apply(&in_template(&stop), "<a/>").unwrap_err();
                    assert_eq!(error.message, format!("fault {n}"));
                    let unknown = format!("<xsl:template match='/'><xsl:thing{n}/></xsl:template>");
                    let error = apply(&unknown, "<a/>").unwrap_err();
                    assert!(
                        error.message.contains(&format!("unknown xsl:thing{n}")),
                        "{error}"
                    );
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn hostile_bytes_are_errors(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let copy = Stylesheet::compile(stylesheet(COPY).as_bytes()).unwrap();
        let _ = copy.apply(&bytes, &Parameters::default());
        let _ = Stylesheet::compile(&bytes);
    }

    #[test]
    fn a_stylesheet_with_changed_bytes_compiles_or_does_not(
        places in proptest::collection::vec((0_usize..900, any::<u8>()), 1..8)
    ) {
        let mut bytes = include_bytes!("data/grouped.xsl").to_vec();
        for (place, byte) in places {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        if let Ok(compiled) = Stylesheet::compile(&bytes) {
            let _ = compiled.apply(include_bytes!("data/orders.xml"), &Parameters::default());
        }
    }
}
