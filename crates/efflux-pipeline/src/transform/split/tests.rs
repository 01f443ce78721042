//! Tests of the step `split`.

use efflux_storage::particle::{ContentEncoding, Message};
use proptest::prelude::*;

use super::*;
use crate::transform::tests::{apply, refusal, texts};

fn lines(keep_empty: bool) -> Split {
    Split::new(SplitSettings::Lines(SplitLines { keep_empty })).unwrap()
}

fn json(path: Option<&str>) -> Split {
    let path = path.map(ToOwned::to_owned);
    Split::new(SplitSettings::Json(SplitJson { path })).unwrap()
}

fn csv(form: RowForm) -> Split {
    let separator = None;
    Split::new(SplitSettings::Csv(SplitCsv { separator, form })).unwrap()
}

fn xml(element: &str) -> Split {
    let element = element.to_owned();
    Split::new(SplitSettings::Xml(SplitXml { element })).unwrap()
}

#[test]
fn a_part_has_the_metadata_of_the_whole_and_an_id_of_its_own() {
    let whole = Message::new("{\"a\":[1,2]}")
        .with_property("region", "eu")
        .with_message_group("g")
        .with_data_type("orders")
        .compressed(ContentEncoding::Gzip)
        .unwrap();
    let made = apply(&json(Some("a")), whole).unwrap();
    assert_eq!(made.len(), 2);
    for part in &made {
        assert_eq!(part.property("region"), Some("eu"));
        assert_eq!(part.message_group(), Some("g"));
        assert_eq!(part.data_type(), Some("orders"));
        assert_eq!(part.content_type(), Some("application/json"));
        assert_eq!(part.content_encoding(), None);
        assert_eq!(part.property("efflux.cause"), Some("in"));
    }
    assert_ne!(made[0].id(), made[1].id());
}

#[test]
fn lines_end_as_files_end_them() {
    assert_eq!(texts(&lines(false), "a\r\nb\n\nc"), ["a", "b", "c"]);
    assert_eq!(texts(&lines(true), "a\n\nb\n"), ["a", "", "b"]);
    assert_eq!(texts(&lines(false), "\u{feff}a\n"), ["a"]);
    assert!(texts(&lines(true), "").is_empty());
    assert_eq!(
        apply(&lines(false), Message::new(&b"\xff\n\0"[..]))
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn elements_of_an_array_keep_their_bytes() {
    let digits = "[12345678901234567890.123456789, {\"b\": 1.0,\"a\":[ ]}, null]";
    let expect = [
        "12345678901234567890.123456789",
        "{\"b\": 1.0,\"a\":[ ]}",
        "null",
    ];
    assert_eq!(texts(&json(None), digits), expect);
    let nested = "{\"result\":[{\"a.b\":0,\"items\":[1,2]}]}";
    assert_eq!(texts(&json(Some("result.0.items")), nested), ["1", "2"]);
}

#[test]
fn what_is_no_array_is_rejected_with_its_place() {
    assert!(refusal(&json(None), "{}").contains("the payload is no JSON array"));
    assert!(refusal(&json(Some("a")), "{\"a\":1}").contains("a is no JSON array"));
    assert!(refusal(&json(Some("a.b")), "{\"a\":{}}").contains("\"b\""));
    assert!(refusal(&json(None), "[1,").contains("line 1 column 3"));
    let deep = [vec![b'['; 1_000_000], vec![b']'; 1_000_000]].concat();
    let _ = apply(&json(None), Message::new(deep));
}

#[test]
fn rows_become_objects_in_the_tables_order() {
    let table = "\u{feff}sku,\"the \"\"name\"\"\",note\r\n1,\"a, b\",\"two\nlines\"\r\n2,ü,\r\n";
    let expect = [
        "{\"sku\":\"1\",\"the \\\"name\\\"\":\"a, b\",\"note\":\"two\\nlines\"}",
        "{\"sku\":\"2\",\"the \\\"name\\\"\":\"ü\",\"note\":\"\"}",
    ];
    assert_eq!(texts(&csv(RowForm::Json), table), expect);
    let expect = ["a,b\n1,\"x\ny\"\n", "a,b\n2,z\n"];
    assert_eq!(texts(&csv(RowForm::Csv), "a,b\n1,\"x\ny\"\n2,z"), expect);
    assert!(texts(&csv(RowForm::Json), "a,b\n").is_empty());
}

#[test]
fn tables_that_are_not_what_they_seem_are_rejected() {
    let refused = |table: &[u8]| refusal(&csv(RowForm::Json), table);
    assert!(refused(b"a,b\n1,2\n1\n").contains("line 3 of the table has 1 fields"));
    assert!(refused(b"a,b\n1,2,3\n").contains("3 fields, and the first row has 2"));
    assert!(refused(b"a,a\n1,2\n").contains("two columns with the name \"a\""));
    let latin = refused(b"name\nJ\xfcrgen\n");
    assert!(
        latin.contains("byte 6") && latin.contains("Latin-1"),
        "{latin}"
    );
}

#[test]
fn xml_elements_are_cut_out_with_the_namespaces_around_them() {
    let document = "<?xml version='1.0'?>\n<r xmlns='u' xmlns:s=\"urn:&quot;s\"><!-- <o/> -->\n\
        <o id='1'><s:a/><o>inner</o></o><o/><x><o xmlns:s='own'>t<![CDATA[<o>]]></o></x></r>";
    let expect = [
        "<o xmlns=\"u\" xmlns:s=\"urn:&quot;s\" id='1'><s:a/><o>inner</o></o>",
        "<o xmlns=\"u\" xmlns:s=\"urn:&quot;s\"/>",
        "<o xmlns=\"u\" xmlns:s='own'>t<![CDATA[<o>]]></o>",
    ];
    assert_eq!(texts(&xml("o"), document), expect);
    assert_eq!(
        texts(&xml("s:o"), "<r xmlns:s='u'><s:o/><o/></r>"),
        ["<s:o xmlns:s=\"u\"/>"]
    );
    assert_eq!(texts(&xml("r"), "<r>a</r>"), ["<r>a</r>"]);
}

#[test]
fn xml_that_is_hostile_or_torn_is_rejected() {
    let refused = |document: &str| refusal(&xml("o"), document);
    let laughs = "<!DOCTYPE r [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><r><o>&b;</o></r>";
    assert!(refused(laughs).contains("document type"));
    assert!(refused("<!DOCTYPE r SYSTEM 'file:///etc/passwd'><r/>").contains("document type"));
    assert!(refused("<?xml version='1.0' encoding='ISO-8859-1'?><r/>").contains("converted"));
    assert!(refused(&"<a>".repeat(300)).contains("deep"));
    let many: String = (0..2000).map(|n| format!(" xmlns:n{n}='u'")).collect();
    assert!(refused(&format!("<a{many}/>")).contains("namespaces"));
    for torn in [
        "",
        "text",
        "<r>",
        "<r><o></r>",
        "<r/>text",
        "<r><o",
        "<r></x>",
    ] {
        assert!(refused(torn).contains("byte"), "{torn}");
    }
}

#[test]
fn settings_without_sense_are_refused() {
    let refused = |settings| Split::new(settings).unwrap_err().kind();
    let separator = Some("ab".to_owned());
    assert_eq!(
        refused(SplitSettings::Csv(SplitCsv {
            separator,
            form: RowForm::Json
        })),
        "fatal"
    );
    let path = Some("a..b".to_owned());
    assert_eq!(refused(SplitSettings::Json(SplitJson { path })), "fatal");
    let element = "<a>".to_owned();
    assert_eq!(refused(SplitSettings::Xml(SplitXml { element })), "fatal");
}

#[test]
fn settings_are_one_key_that_says_what_is_split() {
    let read = |text: &str| serde_json::from_str::<SplitSettings>(text);
    assert!(matches!(
        read("{\"lines\":{}}").unwrap(),
        SplitSettings::Lines(_)
    ));
    assert!(matches!(
        read("{\"csv\":{\"form\":\"csv\",\"separator\":\";\"}}").unwrap(),
        SplitSettings::Csv(_)
    ));
    assert!(read("{\"xml\":{}}").is_err());
    assert!(read("{\"lines\":{\"kep_empty\":true}}").is_err());
}

proptest! {
    #[test]
    fn hostile_bytes_are_split_or_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for split in [lines(true), json(None), json(Some("a")), csv(RowForm::Json), csv(RowForm::Csv), xml("a")] {
            let _ = apply(&split, Message::new(bytes.clone()));
        }
    }

    #[test]
    fn hostile_texts_are_split_or_rejected(text in "[<>/a!x:=\"' \\[\\]{},0-9\n&;-]{0,200}") {
        for split in [json(None), json(Some("a")), csv(RowForm::Json), csv(RowForm::Csv), xml("a")] {
            let _ = apply(&split, Message::new(text.clone()));
        }
    }

    #[test]
    fn rows_that_were_written_are_read(rows in proptest::collection::vec(("[a-c\"\n\r, ü]{0,8}", "[a-c\"\n, ]{1,8}"), 1..20)) {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(["a", "b"]).unwrap();
        for (a, b) in &rows {
            writer.write_record([a, b]).unwrap();
        }
        let made = texts(&csv(RowForm::Json), writer.into_inner().unwrap());
        prop_assert_eq!(made.len(), rows.len());
        for (made, (a, b)) in made.iter().zip(&rows) {
            let row: serde_json::Value = serde_json::from_str(made).unwrap();
            prop_assert_eq!(&row["a"], a);
            prop_assert_eq!(&row["b"], b);
        }
    }
}

#[test]
fn xml_that_is_not_well_formed_is_refused_with_its_reason() {
    let split = xml("o");
    for (document, told) in [
        ("<r><o>&nope;</o></r>", "no entity &nope;"),
        ("<r><o a='&foo;'/></r>", "no entity &foo;"),
        ("<r><o a='a & b'/></r>", "begins no entity"),
        ("<r/>&amp;", "outside"),
        ("<r><o>&#0;</o></r>", "no entity &#0;"),
        ("<r><o/></r><r/>", "second root"),
        ("<r><o a='1' a='2'/></r>", "stands twice"),
        ("<r><s:o/><o/></r>", "prefix of s:o"),
        ("<r><a xmlns:s='x'/><o s:b='1'/></r>", "prefix of s:b"),
    ] {
        let refused = refusal(&split, document);
        assert!(refused.contains(told), "{document}: {refused}");
    }
    let fine = "<r xmlns:s='x'><o s:b='&lt;&#65;&#x42;' xml:lang='de'>&amp;<s:p/></o></r>";
    assert_eq!(texts(&split, fine).len(), 1);
}
