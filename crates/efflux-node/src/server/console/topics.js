// The topics, a page at a time, and the consumers of one of them. The node opens what it is asked
// about, so only what is shown is asked about, one after the other.

import { Meter, count, pace, page, sequence } from "./figures.js";
import { ask, path } from "./interface.js";
import { Rows, element, tell } from "./table.js";

const LIST = "v1/topics";
const TOPICS_SHOWN = 20;
const CONSUMERS_SHOWN = 50;
/** How old names may be: there may be very many. */
const NAMES_MS = 20_000;

const meter = new Meter();
const topics = new Rows(element("topics"), ({ key }) => open(key === opened ? "" : key));
const consumers = new Rows(element("consumers"));
const seen = new Map();
let names = [];
let namesAtMs = -Infinity;
let from = 0;
let opened = "";
/** Counts what was chosen: a look at something else ends early. */
let choice = 0;
let look = () => {};

function show() {
  const part = page(names, element("filter").value, from, TOPICS_SHOWN);
  from = part.begin;
  tell(element("topics-place"), part.place);
  element("before").setAttribute("aria-disabled", String(part.isFirst));
  element("more").setAttribute("aria-disabled", String(part.isLast));
  topics.show(part.shown.map((key) => {
    const action = key === opened ? "Close" : "Consumers";
    return { key, cells: [key, ...(seen.get(key) ?? ["…", "…"])], action };
  }));
  return part.shown;
}

/** Looks once at what is shown, and returns the answer that was the end of it. */
export async function lookAtTopics() {
  const mine = choice;
  let answer = { ok: true };
  if (performance.now() - namesAtMs > NAMES_MS) {
    answer = await ask(LIST);
    tell(element("topics-fault"), answer.why);
    if (!answer.ok) return answer;
    [names, namesAtMs] = [answer.value.topics, performance.now()];
  }
  if (opened !== "") await lookAtConsumers(opened, mine);
  for (const name of show()) {
    answer = await ask(`${LIST}/${path(name)}`);
    if (mine !== choice) return answer;
    // One that is gone, or is another's to read, says nothing of those behind it.
    if (!answer.ok && ![403, 404].includes(answer.status)) return answer;
    seen.set(name, answer.ok ? figures(answer.value) : [["–", answer.why], "–"]);
    show();
  }
  return { ok: true };
}

function figures({ name, head, index_lag: lag }) {
  const last = sequence(head);
  const perSecond = meter.perSecond(name, last, performance.now());
  return [[count(last), pace(perSecond)], lag === undefined ? "not open" : count(lag)];
}

async function lookAtConsumers(topic, mine) {
  const at = `${LIST}/${path(topic, "consumers")}`;
  const { value: listed, why: fault } = await ask(at);
  const all = listed?.consumers ?? [];
  const shown = [];
  for (const key of all.slice(0, CONSUMERS_SHOWN)) {
    const { value, why } = await ask(`${at}/${path(key)}`);
    const { lag, in_flight: held, delayed, redelivered, dead_lettered: dead } = value ?? {};
    shown.push({ key, cells: [[key, why], ...[lag, held, delayed, redelivered, dead].map(count)] });
  }
  if (mine !== choice) return;
  tell(element("consumers-fault"), fault);
  tell(element("consumers-place"), `${count(shown.length)} of ${count(all.length)}`);
  consumers.show(shown);
}

function open(name) {
  opened = name;
  element("topic").hidden = name === "";
  for (const [id, text] of [["topic-name", name], ["consumers-place", ""], ["consumers-fault", ""]]) {
    tell(element(id), text);
  }
  consumers.show([]);
  turn(0);
}

function turn(by) {
  from += by;
  choice += 1;
  show();
  look();
}

/** Lets the buttons and the filter work; `again` looks at once. */
export function operateTopics(again) {
  look = again;
  element("before").addEventListener("click", () => turn(-TOPICS_SHOWN));
  element("more").addEventListener("click", () => turn(TOPICS_SHOWN));
  element("filter").addEventListener("input", () => turn(0));
}
