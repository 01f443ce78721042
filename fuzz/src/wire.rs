//! What a node and its clients read from each other is read or refused, and what was read is told in
//! a way that reads back as the same.

use crate::storage::remote::wire::{
    ConsumerSettings, ConsumerShown, Problem, RestorationLine, TopicSettings, Verify, decode_text,
    encode_text, parse_expect, parse_sync, print_expect, print_sync,
};

/// Runs the target on one input, whose first byte chooses what it is read as.
pub fn run(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else {
        return;
    };
    match kind % 8 {
        0 => line(bytes),
        1 => problem(bytes),
        2 => drop(serde_json::from_slice::<ConsumerSettings>(bytes).map(|it| it.options())),
        3 => drop(serde_json::from_slice::<ConsumerShown>(bytes).map(|it| it.status())),
        4 => drop(serde_json::from_slice::<TopicSettings>(bytes).map(|it| it.options())),
        5 => drop(serde_json::from_slice::<Verify>(bytes)),
        other => {
            if let Ok(text) = std::str::from_utf8(bytes) {
                texts(other, text);
            }
        }
    }
}

fn line(bytes: &[u8]) {
    let Ok(line) = RestorationLine::parse(bytes) else {
        return;
    };
    let printed = line.print();
    let again = RestorationLine::parse(printed.trim_ascii_end());
    assert_eq!(again.ok().as_ref(), Some(&line));
    if let RestorationLine::Consumer(shown) = line {
        drop(shown.state());
    }
}

fn problem(bytes: &[u8]) {
    if let Ok(problem) = serde_json::from_slice::<Problem>(bytes) {
        let error = crate::storage::Error::from(&problem);
        assert!(!error.to_string().is_empty() || problem.detail.is_empty());
    }
}

fn texts(kind: u8, text: &str) {
    if kind == 6 {
        let encoded = encode_text(text);
        assert!(encoded.is_ascii());
        assert_eq!(decode_text(&encoded).ok().as_deref(), Some(text));
        drop(decode_text(text));
        if let Ok(sync) = parse_sync(text) {
            assert_eq!(parse_sync(&print_sync(sync)).ok(), Some(sync));
        }
    } else if let Ok(expect) = parse_expect(text) {
        let printed = print_expect(&expect);
        let again = parse_expect(&printed).map(|again| print_expect(&again));
        assert_eq!(again.ok(), Some(printed));
    }
}
