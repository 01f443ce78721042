//! What was measured, as a table and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::machine::Machine;
use crate::measure::{Figure, Measured, Reached};

const ROW_WIDTH: usize = 32;
const LANE_WIDTH: usize = 24;

/// The heading of the table.
pub(crate) fn heading() -> String {
    format!(
        "{:<ROW_WIDTH$} {:<LANE_WIDTH$} {:>11} {:>7} {:>6} {:>10} {:>10} {:>9}",
        "row", "program", "a second", "ratio", "goal", "p50", "p99", "after"
    )
}

/// A row of the table: a line for each program, then one for each single figure.
pub(crate) fn lines(row: &Measured) -> String {
    let lanes = row.lanes.iter().map(|lane| lane_line(row, lane));
    let figures = row.figures.iter().map(figure_line);
    let mut text = String::new();
    for (at, line) in lanes.chain(figures).enumerate() {
        let name = if at == 0 { &*row.name } else { "" };
        // A long name has the first line for itself.
        if name.len() > ROW_WIDTH {
            text.push_str(&format!("{name}\n{:<ROW_WIDTH$} ", ""));
        } else {
            text.push_str(&format!("{name:<ROW_WIDTH$} "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn lane_line(row: &Measured, lane: &Reached) -> String {
    let goal = row.goal.filter(|_| lane.name == row.held);
    let goal = goal.map(|goal| format!("{goal:.2}")).unwrap_or_default();
    let micros = |wait: Option<Duration>| wait.map(|wait| format!("{} µs", wait.as_micros()));
    let after = lane.after.map(|it| format!("{} ms", it.as_millis()));
    format!(
        "{:<LANE_WIDTH$} {:>11.0} {:>7.2} {goal:>6} {:>10} {:>10} {:>9}",
        lane.name,
        lane.rate,
        lane.ratio,
        micros(lane.p50).unwrap_or_default(),
        micros(lane.p99).unwrap_or_default(),
        after.unwrap_or_default(),
    )
}

fn figure_line(figure: &Figure) -> String {
    let most = figure.most.map(|most| format!("at most {most}"));
    format!(
        "  {:<38} {:>10.2} {:<12} {}",
        figure.name,
        figure.value,
        figure.unit,
        most.unwrap_or_default()
    )
}

/// Which goals were reached and which not, a line for each that was not.
pub(crate) fn goals(rows: &[Measured]) -> String {
    let goals: Vec<_> = rows.iter().flat_map(goals_of).collect();
    let reached = goals.iter().filter(|(is_reached, _)| *is_reached).count();
    let mut text = format!("{reached} of {} goals reached\n", goals.len());
    for (_, line) in goals.iter().filter(|(is_reached, _)| !is_reached) {
        text.push_str(&format!("  not reached: {line}\n"));
    }
    text
}

fn goals_of(row: &Measured) -> Vec<(bool, String)> {
    let ratio = row.goal.zip(row.lane(row.held)).map(|(goal, lane)| {
        let line = format!("{}: {:.2}, asked {goal:.2}", row.name, lane.ratio);
        (lane.ratio >= goal, line)
    });
    let figures = row.figures.iter().filter_map(|figure| {
        let most = figure.most?;
        let line = format!(
            "{}, {}: {:.2} {}, asked at most {most}",
            row.name, figure.name, figure.value, figure.unit
        );
        Some((figure.value <= most, line))
    });
    ratio.into_iter().chain(figures).collect()
}

/// Everything, for programs to read.
pub(crate) fn json(machine: &Machine, rows: &[Measured]) -> Value {
    let micros = |it: Option<Duration>| it.map(|it| it.as_secs_f64() * 1e6);
    let lane = |lane: &Reached| {
        json!({
            "program": lane.name,
            "per_second": lane.rate,
            "ratio": lane.ratio,
            "p50_us": micros(lane.p50),
            "p99_us": micros(lane.p99),
            "after_us": micros(lane.after),
        })
    };
    let figure = |figure: &Figure| {
        json!({
            "name": figure.name,
            "value": figure.value,
            "unit": figure.unit,
            "at_most": figure.most,
        })
    };
    let row = |row: &Measured| {
        json!({
            "row": row.name,
            "goal": row.goal,
            "held": row.held,
            "programs": row.lanes.iter().map(lane).collect::<Vec<_>>(),
            "figures": row.figures.iter().map(figure).collect::<Vec<_>>(),
        })
    };
    json!({
        "machine": { "cores": machine.cores, "load_before": machine.load },
        "rows": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ratio: f64, value: f64) -> Measured {
        Measured {
            name: "row".to_owned(),
            goal: Some(0.5),
            held: "efflux",
            lanes: vec![Reached {
                name: "efflux",
                rate: 10.0,
                ratio,
                p50: None,
                p99: Some(Duration::from_micros(7)),
                after: None,
            }],
            figures: vec![Figure::new("lag", value, "s").at_most(2.0)],
        }
    }

    #[test]
    fn goals_are_told_as_reached_or_not() {
        assert_eq!(goals(&[row(0.5, 2.0)]), "2 of 2 goals reached\n");
        let text = goals(&[row(0.4, 2.5)]);
        assert!(text.starts_with("0 of 2"), "{text}");
        assert!(text.contains("row: 0.40, asked 0.50"), "{text}");
        assert!(text.contains("lag: 2.50 s, asked at most 2"), "{text}");
    }

    #[test]
    fn lines_and_json_hold_the_same_figures() {
        let row = row(0.4, 2.5);
        assert!(lines(&row).contains("7 µs"));
        assert_eq!(lines(&row).lines().count(), 2);
        let machine = Machine {
            cores: 2,
            load: None,
        };
        let json = json(&machine, &[row]);
        assert_eq!(json.pointer("/rows/0/programs/0/p99_us"), Some(&7.0.into()));
        assert_eq!(json.pointer("/rows/0/figures/0/at_most"), Some(&2.0.into()));
    }
}
