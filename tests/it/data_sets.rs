//! Four real files of the npm package vega-datasets: imported, searched, consumed, verified. What
//! is found is compared with what an independent look at the files says.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::{Place, Ran, repository, target};

/// A file of the data, or none with a clear word when it could not be had.
fn data(name: &str) -> Option<PathBuf> {
    let path = target().join("data/vega-datasets").join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!(
        "not checked: {} is missing; `cargo xtask setup` fetches it",
        path.display()
    );
    None
}

/// The sequences that a query finds.
fn found(place: &Place, query: &str) -> Vec<u64> {
    let ran = place.run(&["find", "t", query, "-o", "json"]);
    ran.json()
        .iter()
        .map(|particle| particle["sequence"].as_u64().unwrap())
        .collect()
}

/// Compares a query with a look at every record.
fn check(place: &Place, records: &[Value], query: &str, matches: impl Fn(&Value) -> bool) {
    let expect: Vec<u64> = (1..)
        .zip(records)
        .filter(|(_, record)| matches(record))
        .map(|(at, _)| at)
        .collect();
    assert!(!expect.is_empty(), "{query} should match something");
    assert_eq!(found(place, query), expect, "{query}");
}

/// Imports a file, twice, and has all of it consumed, exported, and checked by both verifiers.
fn imported(file: &str, options: &[&str], records: &[Value]) -> Option<Place> {
    let path = data(file)?;
    let place = Place::new();
    let import = ["import", "t", path.to_str().unwrap(), "-o", "json"];
    let summary = &place.run(&[&import, options].concat()).json()[0];
    let count = records.len() as u64;
    assert_eq!(
        (&summary["imported"], &summary["rejected"]),
        (&count.into(), &0.into())
    );
    let again = &place.run(&[&import, options].concat()).json()[0];
    assert_eq!(
        (&again["imported"], &again["already_there"]),
        (&0.into(), &count.into())
    );

    let verified = &place.run(&["verify", "t", "-o", "json"]).json()[0];
    assert_eq!(verified["particles"], count + 1);
    let frames = place.path("frames");
    let mut export = place.command(&["export", "t"]);
    export.stdout(Stdio::from(fs::File::create(&frames).unwrap()));
    assert!(export.status().unwrap().success());
    let head = place.run(&["head", "t"]).ok();
    let verifier = Command::new("python3")
        .arg(repository().join("tests/verifier/verify.py"))
        .args(["--topic", "t", "--head", head.trim()])
        .arg(&frames)
        .output()
        .unwrap();
    let said = Ran::of(verifier).ok();
    assert_eq!(
        said.trim(),
        format!("ok particles={} head={}", count + 1, head.trim())
    );
    Some(place)
}

/// What a consumer takes in two goes is every record once, in order; particles of a message group,
/// of which one is in flight at a time, in the order of their group.
fn consumed(place: &Place, records: &[Value]) {
    let first = place.run(&[
        "consume",
        "t",
        "--consumer",
        "c",
        "--max",
        "1000",
        "-o",
        "json",
    ]);
    let second = place.run(&[
        "consume",
        "t",
        "--consumer",
        "c",
        "--wait",
        "0",
        "-o",
        "json",
    ]);
    let taken: Vec<Value> = first.json().into_iter().chain(second.json()).collect();
    assert_eq!(taken.len(), records.len());
    let mut last_of_group = BTreeMap::new();
    for particle in &taken {
        assert_eq!(particle["deliveries"], 1);
        let sequence = particle["sequence"].as_u64().unwrap();
        let group = particle["message_group"].as_str().unwrap_or_default();
        let before = last_of_group.insert(group, sequence);
        assert!(before.is_none_or(|before| before < sequence), "{group}");
    }
    let mut taken: Vec<&Value> = taken.iter().collect();
    taken.sort_by_key(|particle| particle["sequence"].as_u64());
    for (particle, record) in taken.iter().zip(records) {
        assert_eq!(&particle["data"], record);
    }
}

fn json(file: &str) -> Option<Value> {
    Some(serde_json::from_slice(&fs::read(data(file)?).unwrap()).unwrap())
}

#[test]
fn flights() {
    let Some(records) = json("flights-200k.json") else {
        return;
    };
    let records = records.as_array().unwrap();
    assert_eq!(records.len(), 200_000);
    let options = ["--type", "flight", "--prop", "delay", "--prop", "distance"];
    let Some(place) = imported("flights-200k.json", &options, records) else {
        return;
    };
    check(
        &place,
        records,
        "properties.delay = 0 and properties.distance in (405, 370)",
        |flight| flight["delay"] == 0 && (flight["distance"] == 405 || flight["distance"] == 370),
    );
    check(
        &place,
        records,
        "properties.delay = -12 or properties.distance = 2704",
        |flight| flight["delay"] == -12 || flight["distance"] == 2704,
    );
    consumed(&place, records);
}

#[test]
fn earthquakes() {
    let Some(document) = json("earthquakes.json") else {
        return;
    };
    let records = document["features"].as_array().unwrap();
    let options = [
        "--id",
        "id",
        "--time-from",
        "properties.time",
        "--type-from",
        "properties.type",
        "--group-from",
        "properties.net",
        "--prop",
        "mag=properties.mag",
        "--prop",
        "magType=properties.magType",
        "--prop",
        "tsunami=properties.tsunami",
    ];
    let Some(place) = imported("earthquakes.json", &options, records) else {
        return;
    };
    let of = |quake: &Value, name: &str| quake["properties"][name].clone();
    check(
        &place,
        records,
        "group = ak and properties.magType = ml",
        |quake| of(quake, "net") == "ak" && of(quake, "magType") == "ml",
    );
    // 1517788800 is 2018-02-05T00:00:00Z.
    check(
        &place,
        records,
        "timestamp >= 2018-02-05T00:00:00Z and not group = ak",
        |quake| {
            of(quake, "time").as_i64().unwrap() >= 1_517_788_800_000 && of(quake, "net") != "ak"
        },
    );
    check(&place, records, "type != earthquake", |quake| {
        of(quake, "type") != "earthquake"
    });
    check(&place, records, "properties.tsunami = 1", |quake| {
        of(quake, "tsunami") == 1
    });
    let first = records[0]["id"].as_str().unwrap();
    let got = &place.run(&["get", "t", "--id", first, "-o", "json"]).json()[0];
    assert_eq!((&got["sequence"], &got["data"]), (&1.into(), &records[0]));
    consumed(&place, records);
}

#[test]
fn movies() {
    let Some(records) = json("movies.json") else {
        return;
    };
    let records = records.as_array().unwrap();
    let options = [
        "--type",
        "movie",
        "--time-from",
        "Release Date",
        "--prop",
        "rating=MPAA Rating",
        "--prop",
        "genre=Major Genre",
        "--prop",
        "title=Title",
    ];
    let Some(place) = imported("movies.json", &options, records) else {
        return;
    };
    let year = |movie: &Value| {
        let date = movie["Release Date"].as_str().unwrap();
        date.rsplit(' ').next().unwrap().parse::<i32>().unwrap()
    };
    check(
        &place,
        records,
        "timestamp < 1980-01-01 and properties.rating = PG",
        |movie| year(movie) < 1980 && movie["MPAA Rating"] == "PG",
    );
    check(
        &place,
        records,
        "properties.genre = Drama and timestamp >= 1998-01-01 and timestamp < 1999-01-01",
        |movie| year(movie) == 1998 && movie["Major Genre"] == "Drama",
    );
    check(&place, records, "properties.genre not exists", |movie| {
        movie["Major Genre"].is_null()
    });
    // Some titles are numbers; metadata has them as JSON prints them.
    check(
        &place,
        records,
        "properties.title = 300 or properties.title = '12'",
        |movie| movie["Title"] == 300 || movie["Title"] == 12,
    );
    consumed(&place, records);
}

#[test]
fn zip_codes() {
    let Some(path) = data("zipcodes.csv") else {
        return;
    };
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let records: Vec<Value> = lines
        .map(|line| {
            assert!(
                !line.contains('"'),
                "splitting at commas is enough for this file"
            );
            names
                .iter()
                .zip(line.split(','))
                .map(|(name, value)| (*name, value))
                .collect()
        })
        .collect();
    let options = [
        "--id", "zip_code", "--type", "zip", "--prop", "state", "--prop", "county",
    ];
    let Some(place) = imported("zipcodes.csv", &options, &records) else {
        return;
    };
    let got = &place
        .run(&["get", "t", "--id", "00501", "-o", "json"])
        .json()[0];
    assert_eq!(
        (&got["sequence"], &got["data"]["zip_code"]),
        (&1.into(), &"00501".into())
    );
    check(
        &place,
        &records,
        "properties.state in (NY, NJ) and properties.county = Suffolk",
        |zip| (zip["state"] == "NY" || zip["state"] == "NJ") && zip["county"] == "Suffolk",
    );
    check(
        &place,
        &records,
        "properties.state = AK or id = '90210'",
        |zip| zip["state"] == "AK" || zip["zip_code"] == "90210",
    );
    consumed(&place, &records);
}
