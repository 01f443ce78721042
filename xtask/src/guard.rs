//! `cargo xtask guard`: counts the instructions of fixed pieces of work and holds them against those
//! that were accepted, so that a change which makes the engine slower is noticed in CI.
//!
//! Instructions are counted by valgrind, which computes every one of them itself: what else runs on
//! the machine does not matter, and what SHA instructions its processor has does not either, because
//! valgrind has none. The work itself is in crates/efflux-bench/src/guard.rs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::project::Project;
use crate::{Result, process};

pub(crate) const HELP: &str = "[--accept]: count instructions and hold them against guard.json";

const ACCEPTED: &str = "crates/efflux-bench/guard.json";

/// A release build in all but what takes long: it is linked without optimising once more.
const BUILD: &[&str] = &[
    "build",
    "--package",
    "efflux-bench",
    "--profile",
    "guard",
    "--config=profile.guard.inherits='release'",
    "--config=profile.guard.lto='off'",
    "--config=profile.guard.codegen-units=16",
    "--config=profile.guard.debug=false",
];

/// What a count may be above the accepted one: compilers and libraries differ a little, and threads
/// take turns in another order each time.
const TOLERANCE_PERCENT: f64 = 10.0;

/// Instructions that never count as too many: what stands below is smaller than the noise.
const TOLERANCE_MIN: f64 = 200.0;

/// A row as `efflux-bench guard list` tells it.
#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    without: String,
    counts: (u64, u64),
    each: u64,
}

pub(crate) fn main(project: &Project, arguments: &[String]) -> Result {
    let is_accepting = match arguments {
        [] => false,
        [only] if only == "--accept" => true,
        _ => return Err("guard takes nothing or --accept".to_owned()),
    };
    if let Some(reason) = obstacle(project) {
        return Err(reason);
    }
    let counted = count_all(project)?;
    let path = project.root.join(ACCEPTED);
    if is_accepting {
        let text = format!("{:#}\n", json!({ "instructions": rounded(&counted) }));
        return fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()));
    }
    let accepted = accepted(&path)?;
    print!("{}", table(&counted, &accepted));
    judge(&counted, &accepted)
}

/// Why nothing can be counted here, if it cannot.
pub(crate) fn obstacle(project: &Project) -> Option<String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Some("the accepted counts are those of Linux on x86-64".to_owned());
    }
    let is_there = process::succeeds(project.command("valgrind").arg("--version"));
    (!is_there).then(|| "valgrind is not installed".to_owned())
}

/// The instructions of each row, a particle, get or find.
fn count_all(project: &Project) -> Result<BTreeMap<String, f64>> {
    process::run(&mut project.cargo(BUILD.iter().copied()))?;
    let program = project.target.join("guard").join("efflux-bench");
    let folder = project.target.join("guard-run");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut build = project.command(&program);
    process::run(build.args(["guard", "build"]).arg(&folder))?;
    let list = process::output(project.command(&program).args(["guard", "list"]))?;
    let rows: Vec<Row> = list.lines().filter_map(read_row).collect();
    let mut counted = BTreeMap::new();
    for row in &rows {
        let few = count(project, (&program, &folder), &row.name, row.counts.0)?;
        let many = count(project, (&program, &folder), &row.name, row.counts.1)?;
        counted.insert(row.name.clone(), slope(row, few, many));
    }
    let _ = fs::remove_dir_all(&folder);
    Ok(beyond(&rows, &counted))
}

fn count(
    project: &Project,
    (program, folder): (&PathBuf, &Path),
    row: &str,
    count: u64,
) -> Result<u64> {
    let mut command = project.command("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(program).args(["guard", row]).arg(folder);
    let told = process::errors(command.arg(count.to_string()))?;
    collected(&told).ok_or_else(|| format!("valgrind told no count of instructions: {told}"))
}

/// The count in what callgrind says at the end: `==12== Collected : 123456`.
fn collected(told: &str) -> Option<u64> {
    let line = told.lines().rev().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

fn read_row(line: &str) -> Option<Row> {
    let parts: Vec<&str> = line.split(' ').collect();
    let [name, without, few, many, each] = parts.as_slice() else {
        return None;
    };
    Some(Row {
        name: (*name).to_owned(),
        without: (*without).to_owned(),
        counts: (few.parse().ok()?, many.parse().ok()?),
        each: each.parse().ok()?,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn slope(row: &Row, few: u64, many: u64) -> f64 {
    let times = (row.counts.1 - row.counts.0) * row.each;
    (many as f64 - few as f64) / times as f64
}

/// The counts without what is to be subtracted of each.
fn beyond(rows: &[Row], counted: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let count = |name: &str| counted.get(name).copied().unwrap_or(0.0);
    let beyond = |row: &Row| (row.name.clone(), count(&row.name) - count(&row.without));
    rows.iter().map(beyond).collect()
}

fn rounded(counted: &BTreeMap<String, f64>) -> Value {
    let whole = |(name, count): (&String, &f64)| (name.clone(), Value::from(count.round()));
    counted.iter().map(whole).collect()
}

fn accepted(path: &Path) -> Result<BTreeMap<String, f64>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let json: Value =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let rows = json.get("instructions").and_then(Value::as_object);
    let rows = rows.ok_or_else(|| format!("{}: it has no instructions", path.display()))?;
    let read = |(name, count): (&String, &Value)| Some((name.clone(), count.as_f64()?));
    Ok(rows.iter().filter_map(read).collect())
}

fn table(counted: &BTreeMap<String, f64>, accepted: &BTreeMap<String, f64>) -> String {
    let mut text = format!("{:<18} {:>10} {:>10}\n", "row", "counted", "accepted");
    for (name, count) in counted {
        let accepted = accepted.get(name).map(|it| format!("{it:.0}"));
        let accepted = accepted.unwrap_or_default();
        text.push_str(&format!("{name:<18} {count:>10.0} {accepted:>10}\n"));
    }
    text
}

/// Fails when a row has more instructions than it may. Fewer are no fault: accept them.
fn judge(counted: &BTreeMap<String, f64>, accepted: &BTreeMap<String, f64>) -> Result {
    let mut faults = Vec::new();
    for (name, count) in counted {
        match accepted.get(name) {
            None => faults.push(format!("  {name}: it was never accepted")),
            Some(accepted) if *count > most(*accepted) => faults.push(format!(
                "  {name}: {count:.0} instructions, {accepted:.0} were accepted"
            )),
            Some(_) => {}
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!(
        "slower than before; if that is as it must be, run `cargo xtask guard --accept`:\n{}",
        faults.join("\n")
    ))
}

fn most(accepted: f64) -> f64 {
    accepted + (accepted * TOLERANCE_PERCENT / 100.0).max(TOLERANCE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &[(&str, f64)]) -> BTreeMap<String, f64> {
        let named = rows
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count));
        named.collect()
    }

    #[test]
    fn the_count_is_found_in_what_valgrind_says() {
        let told = "==7== Events    : Ir\n==7== Collected : 1234\n==7== \n";
        assert_eq!(collected(told), Some(1234));
        assert_eq!(collected("==7== Events : Ir"), None);
    }

    #[test]
    fn a_row_counts_by_what_it_does_more() {
        let rows: Vec<Row> = ["hash - 1 4 1000", "verify hash 1 2 6000"]
            .into_iter()
            .filter_map(read_row)
            .collect();
        assert_eq!(slope(&rows[0], 5_000_000, 8_000_000), 1000.0);
        let counted = counts(&[("hash", 1000.0), ("verify", 1500.0)]);
        let expect = counts(&[("hash", 1000.0), ("verify", 500.0)]);
        assert_eq!(beyond(&rows, &counted), expect);
    }

    #[test]
    fn more_than_was_accepted_is_refused_and_less_is_not() {
        let accepted = counts(&[("scan", 10_000.0)]);
        let check = |count| judge(&counts(&[("scan", count)]), &accepted);
        assert!(check(10_900.0).is_ok() && check(5000.0).is_ok());
        let error = check(11_100.0).unwrap_err();
        assert!(error.contains("scan: 11100"), "{error}");
        assert!(judge(&counts(&[("find", 1.0)]), &accepted).is_err());
    }
}
