//! Runs pipelines in this process: `run` and `replay`.

use std::io::Write;
use std::time::Duration;

use efflux_node::pipeline::declared::Stores;
use efflux_node::pipeline::{Counts, PipelineError, PipelineOptions};
use efflux_node::pipelines::{Pipelines, Standing, State};
use serde_json::json;

use super::{Replay, Run, read, variable};
use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::OutputFormat;
use crate::progress::ProgressLine;

/// How often the counters on the terminal are drawn anew.
const TICK: Duration = Duration::from_millis(250);
/// How long a replay waits for a letter that is under way elsewhere.
const REPLAY_IDLE: Duration = Duration::from_secs(5);

/// Runs the pipelines of files until they end or are interrupted.
pub(super) async fn run(context: &Context, arguments: &Run) -> Outcome {
    for path in &arguments.files {
        // What is wrong is told of all, before the store is opened.
        read(path)?;
    }
    let line = ProgressLine::counting();
    let telling = arguments.telemetry.start_beside(&line)?;
    let store = context.open_or_create().await?;
    let pipelines = Pipelines::beside(store.clone());
    let mut names = Vec::new();
    for path in &arguments.files {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| Failure::io(&path.display().to_string(), &error))?;
        let file = path.display().to_string();
        let loaded = pipelines.load(&file, &text, &variable);
        names.extend(loaded.map_err(|faults| {
            let told = faults.first().map(|fault| format!("{file}: {fault}"));
            Failure::usage(told.unwrap_or_default())
        })?);
    }
    let wanted = |name: &String| arguments.only.is_empty() || arguments.only.contains(name);
    if let Some(missing) = arguments.only.iter().find(|only| !names.contains(only)) {
        let there = names.join(", ");
        return Err(
            Failure::usage(format!("no file declares a pipeline {missing}"))
                .with_try(format!("there are {there}")),
        );
    }
    names.retain(wanted);
    pipelines.set_ends_when_idle(arguments.until_idle);
    for name in &names {
        let _ = pipelines.start(name).await;
    }
    watch(context, &pipelines, &line).await;
    let standings = pipelines.list();
    let standings: Vec<_> = standings
        .into_iter()
        .filter(|standing| names.contains(&standing.name))
        .collect();
    for standing in &standings {
        tell(context, standing)?;
    }
    store.close().await?;
    telling.end().await;
    let failed = |standing: &Standing| standing.state.failure().is_some();
    if standings.iter().any(failed) {
        return Ok(Exit::Failure);
    }
    Ok(match context.interrupt.is_asked() {
        true => Exit::Interrupted,
        false => Exit::Success,
    })
}

/// Shows live counters on a terminal until all pipelines have ended.
async fn watch(context: &Context, pipelines: &Pipelines, line: &ProgressLine) {
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            () = context.interrupt.asked() => {
                line.say("ending what is under way".to_owned());
                pipelines.stop_all().await;
                return;
            }
            _ = tick.tick() => {
                let running = pipelines.list();
                let running: Vec<_> = running
                    .iter()
                    .filter(|it| it.state == State::Running)
                    .map(|it| format!("{}: {}", it.name, shown(&it.counts)))
                    .collect();
                if running.is_empty() {
                    return;
                }
                line.say(running.join("  |  "));
            }
        }
    }
}

fn shown(counts: &Counts) -> String {
    let mut told = format!("{} in, {} delivered", counts.received, counts.delivered);
    for (number, what) in [
        (counts.filtered, "filtered"),
        (counts.dead_lettered, "dead letters"),
        (counts.skipped, "skipped"),
        (counts.retries, "retries"),
    ] {
        if number > 0 {
            told.push_str(&format!(", {number} {what}"));
        }
    }
    told
}

/// Tells on standard error how a pipeline ended: its port may write to standard output.
fn tell(context: &Context, standing: &Standing) -> Result<(), Failure> {
    let mut out = std::io::stderr().lock();
    let counts = &standing.counts;
    if context.global.output == OutputFormat::Json {
        let told = json!({
            "pipeline": standing.name, "state": standing.state.name(),
            "error": standing.state.failure(), "received": counts.received,
            "filtered": counts.filtered, "delivered": counts.delivered,
            "dead_lettered": counts.dead_lettered, "skipped": counts.skipped,
            "retries": counts.retries, "last_error": counts.last_error,
        });
        writeln!(out, "{told}")?;
        return Ok(());
    }
    writeln!(
        out,
        "{}: {}; {}",
        standing.name,
        standing.state.name(),
        shown(counts)
    )?;
    if let Some(failure) = standing.state.failure() {
        writeln!(out, "  {failure}")?;
    } else if let Some(error) = &counts.last_error {
        writeln!(out, "  the last error: {error}")?;
    }
    Ok(())
}

/// Sends the dead letters of a pipeline through it again.
pub(super) async fn replay(context: &Context, arguments: &Replay) -> Outcome {
    let document = read(&arguments.file)?;
    let store = context.open_to_change().await?;
    let stores = Stores::beside(store.clone());
    let opened = document.open(&arguments.pipeline, &stores).await;
    let Some(opened) = opened else {
        let names: Vec<_> = document.names().collect();
        let what = format!(
            "{} declares no pipeline {}",
            arguments.file.display(),
            arguments.pipeline
        );
        return Err(Failure::usage(what).with_try(format!("it declares {}", names.join(", "))));
    };
    let replaying = opened.map_err(|error| failure(&error))?.replaying().await;
    let pipeline = replaying.map_err(|error| failure(&error))?;
    let options = PipelineOptions {
        ends_when_idle: Some(REPLAY_IDLE),
        ..pipeline.options().clone()
    };
    let pipeline = pipeline.with_options(options);
    let counters = pipeline.counters();
    let telling = arguments
        .telemetry
        .start_beside(&ProgressLine::counting())?;
    let ran = pipeline.run(context.interrupt.asked()).await;
    telling.end().await;
    let state = match &ran {
        Ok(()) => State::Ended,
        Err(error) => State::Failed(error.to_string()),
    };
    let standing = Standing::new(&arguments.pipeline, "", state, counters.counts());
    tell(context, &standing)?;
    store.close().await?;
    ran.map_err(|error| failure(&error))?;
    // A letter that failed again is another one.
    Ok(
        match standing.counts.dead_lettered + standing.counts.skipped {
            0 => Exit::Success,
            _ => Exit::Failure,
        },
    )
}

fn failure(error: &PipelineError) -> Failure {
    let exit = match error {
        PipelineError::Invalid { .. } => Exit::Usage,
        _ => Exit::Failure,
    };
    Failure::new(exit, error.to_string())
}
