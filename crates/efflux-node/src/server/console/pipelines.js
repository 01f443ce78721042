// The pipelines: how they stand, and starting, stopping and reading their folder again.

import { Meter, count, pace, reloaded, summary } from "./figures.js";
import { ask, path } from "./interface.js";
import { Rows, add, element, tell } from "./table.js";

const LIST = "v1/pipelines";

const meter = new Meter();
const rows = new Rows(element("pipelines"), press);
/** What is being done to pipelines, by their names. */
const underWay = new Map();
let known = [];
let look = () => {};

function row(pipeline, atMs) {
  const { name, state, file, error, last_error: last } = pipeline;
  const notes = [error, last && last !== error && `last error: ${last}`].filter(Boolean);
  const counted = (field) => count(pipeline[field]);
  const paced = (field) => {
    const perSecond = meter.perSecond(`${field} ${name}`, pipeline[field], atMs);
    return [counted(field), pace(perSecond)];
  };
  const through = [paced("received"), paced("delivered"), counted("filtered")];
  const aside = [paced("dead_lettered"), counted("skipped"), paced("retries"), counted("in_flight")];
  return { key: name, state, cells: [[name, file], [state, notes.join("\n")], ...through, ...aside] };
}

function show() {
  rows.show(known.map((it) => {
    const action = it.state === "running" ? "Stop" : "Start";
    return { ...it, action: underWay.get(it.key) ?? action, isBusy: underWay.has(it.key) };
  }));
}

/** Looks at the pipelines once, and returns the answer. */
export async function lookAtPipelines() {
  const answer = await ask(LIST);
  const atMs = performance.now();
  tell(element("pipelines-fault"), answer.why);
  if (!answer.ok) return answer;
  known = answer.value.pipelines.map((pipeline) => row(pipeline, atMs));
  tell(element("pipelines-summary"), summary(known.map((it) => it.state)));
  show();
  return answer;
}

/** Lets the buttons work; `again` looks at once. */
export function operatePipelines(again) {
  look = again;
  element("reload").addEventListener("click", reload);
  const dialog = element("confirm");
  element("confirm-stop").addEventListener("click", () => dialog.close("stop"));
  element("confirm-cancel").addEventListener("click", () => dialog.close(""));
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "stop") change(element("confirm-name").textContent, "stop");
  });
}

function press({ key, state }) {
  if (state !== "running") return change(key, "start");
  tell(element("confirm-name"), key);
  element("confirm").returnValue = "";
  return element("confirm").showModal();
}

async function change(name, how) {
  underWay.set(name, how === "stop" ? "Stopping …" : "Starting …");
  show();
  const { ok, value, why } = await ask(`${LIST}/${path(name, how)}`, "POST");
  underWay.delete(name);
  show();
  const told = ok ? [value.state, value.error].filter(Boolean).join(": ") : why;
  tellResult([[`${name}: ${told}`, []]]);
  look();
}

async function reload() {
  tellResult([["Reading the folder …", []]]);
  const { ok, value, why } = await ask(`${LIST}/reload`, "POST");
  tellResult(ok ? reloaded(value) : [[why, []]]);
  look();
}

/** Tells what came of an action; it is read out where pages are. */
function tellResult(told) {
  element("result").replaceChildren();
  for (const [heading, lines] of told) {
    add(element("result"), "p", heading);
    const list = lines.length > 0 ? add(element("result"), "ul") : null;
    for (const line of lines) add(list, "li", line);
  }
}
