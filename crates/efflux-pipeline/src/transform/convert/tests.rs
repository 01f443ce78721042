//! Tests of the step `convert`.

use efflux_storage::particle::Message;
use proptest::prelude::*;

use super::*;
use crate::transform::tests::{apply, refusal, texts};

fn csv_to_json() -> Convert {
    Convert::new(ConvertSettings::CsvToJson(CsvSettings::default())).unwrap()
}

fn json_to_csv(columns: Option<&[&str]>) -> Convert {
    let columns = columns.map(|columns| columns.iter().map(ToString::to_string).collect());
    let separator = None;
    Convert::new(ConvertSettings::JsonToCsv(JsonToCsvSettings {
        separator,
        columns,
    }))
    .unwrap()
}

#[test]
fn a_table_becomes_an_array_of_objects() {
    let expect = "[{\"a\":\"1\",\"b\":\"x\\ny\"},\n{\"a\":\"2\",\"b\":\"\"}]";
    assert_eq!(texts(&csv_to_json(), "a,b\n1,\"x\ny\"\n2,\n"), [expect]);
    assert_eq!(texts(&csv_to_json(), "a,b\n"), ["[]"]);
    assert!(refusal(&csv_to_json(), "a,b\n1\n").contains("line 2"));
    assert!(refusal(&csv_to_json(), &b"a\n\xe9\n"[..]).contains("byte 2"));
}

#[test]
fn objects_become_a_table() {
    let objects = "[{\"b\":\"x, \\\"y\\\"\",\"a\":1.50},{\"a\":null,\"c\":[1,{}]}]";
    let expect = "a,b,c\n1.50,\"x, \"\"y\"\"\",\n,,\"[1,{}]\"\n";
    assert_eq!(texts(&json_to_csv(None), objects), [expect]);
    assert_eq!(
        texts(&json_to_csv(Some(&["c", "a"])), "{\"a\":true}"),
        ["c,a\n,true\n"]
    );
    assert!(refusal(&json_to_csv(None), "[1]").contains("element 0"));
    assert!(refusal(&json_to_csv(None), "[{}]").contains("0 names"));
    assert!(refusal(&json_to_csv(None), "[").contains("no JSON"));
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    assert!(refusal(&json_to_csv(None), deep).contains("element 0"));
    let digits = "[{\"a\":12345678901234567890123,\"b\":1e400,\"c\":0.10}]";
    let expect = "a,b,c\n12345678901234567890123,1e400,0.10\n";
    assert_eq!(texts(&json_to_csv(None), digits), [expect]);
}

#[test]
fn compressing_and_its_opposite_are_told_in_the_metadata() {
    let compress = Convert::new(ConvertSettings::Compress(Compression::Gzip)).unwrap();
    let decompress = Convert::new(ConvertSettings::Decompress(Decompress {})).unwrap();
    let packed = apply(&compress, Message::new("text text text"))
        .unwrap()
        .remove(0);
    assert_eq!(packed.content_encoding(), Some(ContentEncoding::Gzip));
    assert_ne!(packed.payload().as_ref(), b"text text text");
    let plain = apply(&decompress, packed).unwrap().remove(0);
    assert_eq!(plain.content_encoding(), None);
    assert_eq!(plain.payload().as_ref(), b"text text text");
    assert_eq!(texts(&decompress, "plain"), ["plain"]);
    let torn = Message::new("no gzip").with_content_encoding(ContentEncoding::Gzip);
    assert_eq!(apply(&decompress, torn).unwrap_err().kind(), "rejected");
}

#[test]
fn settings_without_sense_are_refused() {
    let read = |text: &str| serde_json::from_str::<ConvertSettings>(text).unwrap();
    let kind = |text: &str| Convert::new(read(text)).unwrap_err().kind();
    assert_eq!(kind("{\"json_to_csv\":{\"columns\":[]}}"), "fatal");
    assert_eq!(kind("{\"csv_to_json\":{\"separator\":\"\\\"\"}}"), "fatal");
    assert!(matches!(
        read("{\"compress\":\"gzip\"}"),
        ConvertSettings::Compress(Compression::Gzip)
    ));
    assert!(matches!(
        read("{\"decompress\":{}}"),
        ConvertSettings::Decompress(_)
    ));
}

proptest! {
    #[test]
    fn hostile_bytes_are_converted_or_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for convert in [csv_to_json(), json_to_csv(None)] {
            let _ = apply(&convert, Message::new(bytes.clone()));
        }
    }

    #[test]
    fn a_table_comes_back_as_it_was(rows in proptest::collection::vec(("[a-c\"\n, ü]{1,8}", "[a-c\"\r\n, ]{0,8}"), 1..10)) {
        let objects: Vec<_> = rows.iter().map(|(a, b)| serde_json::json!({ "a": a, "b": b })).collect();
        let table = texts(&json_to_csv(None), serde_json::to_vec(&objects).unwrap());
        let json = texts(&csv_to_json(), table[0].clone());
        let back: Vec<serde_json::Value> = serde_json::from_str(&json[0]).unwrap();
        prop_assert_eq!(back, objects);
    }
}

#[test]
fn objects_that_become_a_huge_table_are_refused_before_it_is_there() {
    let names: Vec<_> = (0..10_000).map(|name| format!("\"{name}\":1")).collect();
    let rows = format!("[{{{}}}{}]", names.join(","), ",{}".repeat(100_000));
    // Each row has 10,000 fields: a gigabyte of them in all.
    let told = refusal(&json_to_csv(None), rows);
    assert!(told.contains("bytes of CSV"), "{told}");
}
