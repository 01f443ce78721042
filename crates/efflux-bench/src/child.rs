//! What is measured in a process of its own: memory, growth, and what a kill leaves behind.
//!
//! ```text
//! efflux-bench child grow FOLDER PARTICLES      figures, one line of JSON for each stage
//! efflux-bench child topics FOLDER COUNT        figures, one line of JSON
//! efflux-bench child tail FOLDER PARTICLES      appends, says so, and waits to be killed
//! ```

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use efflux_node::storage::Store;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::dataset::{BATCH, Dataset};
use crate::growth;
use crate::measure::Figure;
use crate::workload::Workload;
use crate::{Result, topics};

/// What a child says when it has done what it was asked for.
const READY: &str = "ready";

/// Does what the arguments after `child` ask for.
pub(crate) fn main(arguments: &[String], runtime: &Runtime) -> Result {
    let [what, folder, count] = arguments else {
        return Err("child takes what to do, a folder and a count".into());
    };
    let (folder, count) = (Path::new(folder), count.parse()?);
    match &**what {
        "grow" => runtime.block_on(growth::grow(folder, count, &tell)),
        "topics" => tell(&runtime.block_on(many_topics(folder, count))?),
        "tail" => runtime.block_on(tail(folder, count)),
        _ => Err(format!("a child cannot {what}").into()),
    }
}

/// Runs a child and hands on the figures of each line it writes.
pub(crate) fn figures(
    what: &str,
    folder: &Path,
    count: u64,
    each: &mut dyn FnMut(Vec<Figure>),
) -> Result {
    let mut child = spawn(what, folder, count)?;
    let output = child.stdout.take().ok_or("the child has no output")?;
    for line in BufReader::new(output).lines() {
        let values: Vec<Value> = serde_json::from_str(&line?)?;
        each(values.iter().filter_map(read_figure).collect());
    }
    match child.wait()? {
        status if status.success() => Ok(()),
        status => Err(format!("the child {what} failed ({status})").into()),
    }
}

/// Lets a child append `count` records to the store and kills it: nothing is closed.
pub(crate) fn append_and_kill(folder: &Path, count: u64) -> Result {
    let mut child = spawn("tail", folder, count)?;
    let output = child.stdout.take().ok_or("the child has no output")?;
    let said = BufReader::new(output).lines().next().transpose()?;
    child.kill()?;
    child.wait()?;
    if said.as_deref() != Some(READY) {
        return Err("the child that appends failed".into());
    }
    Ok(())
}

/// The child ends when this process does: it reads from it until then.
fn spawn(what: &str, folder: &Path, count: u64) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["child", what]).arg(folder);
    command.arg(count.to_string());
    Ok(command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?)
}

fn tell(figures: &[Figure]) -> Result {
    let figures: Vec<_> = figures.iter().map(write_figure).collect();
    say(&Value::from(figures).to_string())
}

fn say(line: &str) -> Result {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

fn write_figure(figure: &Figure) -> Value {
    json!([figure.name, figure.value, figure.unit, figure.most])
}

fn read_figure(value: &Value) -> Option<Figure> {
    let text = |at: usize| Some(value.get(at)?.as_str()?.to_owned());
    Some(Figure {
        name: text(0)?,
        value: value.get(1)?.as_f64()?,
        unit: text(2)?.into(),
        most: value.get(3).and_then(Value::as_f64),
    })
}

/// Opens that many topics, appends to each, and holds on to all of them.
async fn many_topics(folder: &Path, count: u64) -> Result<Vec<Figure>> {
    let store = Store::open(&format!("file:{}", folder.display())).await?;
    let count = usize::try_from(count)?;
    drop(topics::make(&store, "topic", count).await?);
    store.close().await?;
    topics::footprint(store.url(), count).await
}

async fn tail(folder: &Path, count: u64) -> Result {
    let data = Dataset::open(folder, 0).await?;
    let workload = Workload::new(growth::PAYLOAD_BYTES);
    // Numbers that no record has that is asked for.
    let first = data.topic.head().sequence.get() + growth::FAR;
    for first in (first..first + count).step_by(usize::try_from(BATCH)?) {
        let messages = (first..first + BATCH).map(|it| workload.record(it).message(false));
        data.topic.append_batch(messages.collect()).await?;
    }
    say(READY)?;
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_survive_the_way_from_a_child() {
        let figure = Figure::new("peak", 12.5, "MiB").at_most(256.0);
        let read = read_figure(&write_figure(&figure)).unwrap();
        assert_eq!(
            (read.name, read.value, read.unit, read.most),
            (figure.name, figure.value, figure.unit, figure.most)
        );
    }
}
