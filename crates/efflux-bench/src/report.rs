//! What was measured, as a table and as JSON.

use serde_json::{Value, json};

use crate::measure::Measured;

const ROW_WIDTH: usize = 34;
const LANE_WIDTH: usize = 18;

/// The heading of the table.
pub(crate) fn heading() -> String {
    format!(
        "{:<ROW_WIDTH$} {:<LANE_WIDTH$} {:>12} {:>8} {:>7} {:>10}",
        "row", "program", "a second", "ratio", "goal", "p99"
    )
}

/// A row of the table: a line for each program.
pub(crate) fn lines(row: &Measured) -> String {
    let mut text = String::new();
    for (at, lane) in row.lanes.iter().enumerate() {
        let name = if at == 0 { &*row.name } else { "" };
        let goal = row.goal.filter(|_| at == 1);
        let goal = goal.map(|goal| format!("{goal:.2}")).unwrap_or_default();
        let p99 = lane.p99.map(|wait| format!("{} µs", wait.as_micros()));
        let p99 = p99.unwrap_or_default();
        let line = format!(
            "{name:<ROW_WIDTH$} {:<LANE_WIDTH$} {:>12.0} {:>8.2} {goal:>7} {p99:>10}",
            lane.name, lane.rate, lane.ratio
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Everything, for programs to read.
pub(crate) fn json(rows: &[Measured]) -> Value {
    let lane = |lane: &crate::measure::Reached| {
        json!({
            "program": lane.name,
            "per_second": lane.rate,
            "ratio": lane.ratio,
            "p99_us": lane.p99.map(|wait| u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)),
        })
    };
    let row = |row: &Measured| {
        let lanes: Vec<_> = row.lanes.iter().map(lane).collect();
        json!({ "row": row.name, "goal": row.goal, "programs": lanes })
    };
    json!({ "rows": rows.iter().map(row).collect::<Vec<_>>() })
}
