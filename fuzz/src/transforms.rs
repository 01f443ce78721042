//! Transforms of any payloads: no panic, no more output than the bounds, and memory within reach.

use crate::allocations::at_once;
use crate::edits::edit;
use crate::particle::{ContentEncoding, Message};
use crate::pipeline::{
    Compression, Convert, ConvertSettings, CsvSettings, Decompress, Emit, EmitMax, Jq, JqFilter,
    JqSettings, JsonToCsvSettings, Parcel, RowForm, Split, SplitCsv, SplitJson, SplitLines,
    SplitSettings, SplitXml, StepName, Transform, Unzip, UnzipSettings,
};

/// What a step may make here.
const MAX: EmitMax = EmitMax {
    outputs: 1000,
    bytes: 1 << 20,
};
/// Bytes that a step may hold at once: what it may make, what it may unpack, and the tables of the
/// decompressors.
const HELD_BYTES_MAX: usize = 48 << 20;
/// The same for a program, whose texts may have 64 MiB each.
const PROGRAM_BYTES_MAX: usize = 640 << 20;
/// Steps of a program: a hundredth of what is usual, so that an input takes milliseconds.
const PROGRAM_STEPS_MAX: u64 = 100_000;

/// What is changed into payloads.
const WHOLE: [&[u8]; 5] = [
    include_bytes!("../archives/small.zip"),
    b"id,qty,\"no\"\"te\"\n1,2,\"a\nb\"\r\n2,3,\"\"\n",
    b"{\"a\":[{\"b\":1.0e3,\"c\":\"\\u00e9\"},[null,true,-7]],\"items\":{\"0\":[1,2]}}",
    b"<?xml version=\"1.0\"?><s:a xmlns:s=\"u\"><s:order id='1'>x<b/>&amp;</s:order><s:order/></s:a>",
    b"one\ntwo\r\n\nthree",
];

/// Runs the target on one input: which transform, which payload it begins with, and its changes.
pub fn run(input: &[u8]) {
    let [kind, whole, rest @ ..] = input else {
        return;
    };
    let (program, rest) = match kind % 16 {
        14 | 15 => match program(rest) {
            Some(parts) => parts,
            None => return,
        },
        _ => ("", rest),
    };
    let payload = match WHOLE.get(usize::from(*whole % 8)) {
        Some(whole) => {
            let mut files = [Some(whole.to_vec())];
            edit(rest, &mut files);
            let [file] = files;
            file.unwrap_or_default()
        }
        None => rest.to_vec(),
    };
    let message = message(payload, whole / 8);
    if kind % 16 == 15 {
        keeps(program, message);
        return;
    }
    let Some(transform) = transform(kind % 16, program) else {
        return;
    };
    let most = if program.is_empty() {
        HELD_BYTES_MAX
    } else {
        PROGRAM_BYTES_MAX
    };
    check(&*transform, message, most);
}

/// A program in jq's language, and what stands behind the first NUL.
fn program(rest: &[u8]) -> Option<(&str, &[u8])> {
    let end = rest.iter().position(|byte| *byte == 0)?;
    let program = std::str::from_utf8(rest.get(..end)?).ok()?;
    Some((program, rest.get(end + 1..)?))
}

/// A message with this payload, which says that it is compressed or is so.
fn message(payload: Vec<u8>, how: u8) -> Message {
    let message = Message::new(payload).with_id("m-1".parse().expect("it is an id"));
    match how % 4 {
        0 => message.with_content_encoding(ContentEncoding::Gzip),
        1 => message
            .compressed(ContentEncoding::Zstd)
            .expect("it is built"),
        _ => message,
    }
}

fn transform(kind: u8, program: &str) -> Option<Box<dyn Transform>> {
    let path = Some("a.0".to_owned());
    let csv = |form| {
        SplitSettings::Csv(SplitCsv {
            separator: None,
            form,
        })
    };
    let split = |settings| Split::new(settings).ok().map(boxed);
    let convert = |settings| Convert::new(settings).ok().map(boxed);
    match kind {
        0 => split(SplitSettings::Lines(SplitLines { keep_empty: false })),
        1 => split(SplitSettings::Lines(SplitLines { keep_empty: true })),
        2 => split(SplitSettings::Json(SplitJson { path: None })),
        3 => split(SplitSettings::Json(SplitJson { path })),
        4 => split(csv(RowForm::Json)),
        5 => split(csv(RowForm::Csv)),
        6 | 7 => split(SplitSettings::Xml(SplitXml {
            element: "s:order".to_owned(),
        })),
        8 | 9 => Unzip::new(UnzipSettings::default()).ok().map(boxed),
        10 => convert(ConvertSettings::CsvToJson(CsvSettings { separator: None })),
        11 => convert(ConvertSettings::JsonToCsv(JsonToCsvSettings {
            columns: None,
            separator: None,
        })),
        12 => convert(ConvertSettings::Decompress(Decompress {})),
        13 => convert(ConvertSettings::Compress(Compression::Gzip)),
        _ => {
            let jq = Jq::new(&settings(program));
            if let Err(error) = &jq {
                assert!(!error.to_string().is_empty());
            }
            jq.ok().map(boxed)
        }
    }
}

fn boxed(transform: impl Transform + 'static) -> Box<dyn Transform> {
    Box::new(transform)
}

fn settings(program: &str) -> JqSettings {
    JqSettings {
        program: program.to_owned(),
        steps_max: PROGRAM_STEPS_MAX,
    }
}

fn check(transform: &dyn Transform, message: Message, held_bytes_max: usize) {
    let step: StepName = "step".parse().expect("it is a name");
    let parcel = Parcel::of_message(message);
    let mut out = Emit::new(&parcel, &step, MAX);
    let (done, held) = at_once(|| transform.apply(parcel.clone(), &mut out));
    assert!(held <= held_bytes_max, "{held} bytes are held");
    let made = out.into_parcels();
    let bytes: usize = made.iter().map(|it| it.message.payload().len()).sum();
    assert!(made.len() <= MAX.outputs && bytes <= MAX.bytes);
    match done {
        Ok(()) => {
            for parcel in &made {
                assert!(parcel.message.id().is_some());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn keeps(program: &str, message: Message) {
    use crate::pipeline::Filter;
    let Ok(filter) = JqFilter::new(&settings(program)) else {
        return;
    };
    if let Err(error) = filter.keeps(&Parcel::of_message(message)) {
        assert!(!error.to_string().is_empty());
    }
}
