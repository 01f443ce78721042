// The whole page against a node that runs. Run by console.rs, with the node's address and a token.

import assert from "node:assert/strict";
import { readFile, rename } from "node:fs/promises";
import { load, until } from "./browser.mjs";

const { BASE, TOKEN } = process.env;
const { element, requests } = load(await readFile("index.html", "utf8"), BASE, TOKEN);

const text = (id) => element(id).textContent;
const line = (table, key) => {
  const lines = element(table).tBodies[0].rows;
  return lines.find((it) => it.cells[0].children[0].textContent === key);
};
const texts = (table, key) => line(table, key)?.cells.map((cell) => cell.children[0].textContent);
const press = (table, key) => line(table, key).cells.at(-1).children[0].click();

await import("./console.js");
await until(() => line("pipelines", "good") && /^\d/.test(texts("topics", "orders")?.[1] ?? ""));
assert.equal(text("node"), "ready");
assert.match(text("version"), /^\d+\.\d+\.\d+/);
assert.equal(text("token-state"), "This tab has a token.");

// All that the interface tells is there, as a text, whatever it holds.
const [name, state, received] = texts("pipelines", "good");
assert.deepEqual([name, state, received], ["good", "running", "0"]);
assert.equal(texts("pipelines", "bad")[1], "failed");
assert.match(line("pipelines", "bad").cells[1].textContent, /<img src=x onerror=alert\(1\)>/);
assert.match(text("pipelines-summary"), /^1 failed, 1 running$/);
assert.deepEqual(texts("topics", "orders").slice(0, 2), ["orders", "2"]);
assert.match(text("topics-place"), /^1 to (\d) of \1$/);

// A pipeline is stopped when that is confirmed, and not before.
press("pipelines", "good");
assert.ok(element("confirm").isOpen);
assert.equal(text("confirm-name"), "good");
element("confirm-cancel").click();
assert.ok(!requests.some((it) => it.startsWith("POST")));
press("pipelines", "good");
element("confirm-stop").click();
assert.equal(line("pipelines", "good").cells.at(-1).textContent, "Stopping …");
press("pipelines", "good");
await until(() => text("result") === "good: stopped");
assert.deepEqual(requests.filter((it) => it.startsWith("POST")), ["POST v1/pipelines/good/stop"]);
const same = line("pipelines", "good");
await until(() => same.cells.at(-1).textContent === "Start" && texts("pipelines", "good")[1] === "stopped");
assert.equal(line("pipelines", "good"), same, "a row stays the same element, and keeps the focus");
press("pipelines", "good");
await until(() => text("result") === "good: running");

// The folder is read again, and what is wrong is told with its place.
await rename("later", "pipelines/later.toml");
element("reload").click();
await until(() => text("result").includes("later.toml: line 4"));
assert.match(text("result"), /^Faults/);

// Consumers are shown of the topic that is chosen.
press("topics", "orders");
await until(() => line("consumers", "billing") !== undefined);
assert.deepEqual(texts("consumers", "billing"), ["billing", "2", "0", "0", "0", "0"]);
press("topics", "orders");
assert.ok(element("topic").hidden && !line("consumers", "billing"));
element("filter").value = "nothing like that";
element("filter").dispatchEvent(new Event("input"));
assert.equal(text("topics-place"), "none");

// A page that nobody sees asks nothing.
document.hidden = true;
document.dispatchEvent(new Event("visibilitychange"));
process.exit(0);
