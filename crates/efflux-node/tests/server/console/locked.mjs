// The page before it has a token. Run by console.rs, with the node's address and a token.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { load, until } from "./browser.mjs";

const { BASE, TOKEN } = process.env;
const { element, kept, requests } = load(await readFile("index.html", "utf8"), BASE, null);

const text = (id) => element(id).textContent;
const submit = (value) => {
  element("token").value = value;
  element("token-form").dispatchEvent(new Event("submit", { cancelable: true }));
};

// Without a token nothing is shown, and nothing that needs one is asked again.
await import("./console.js");
await until(() => text("token-state") === "Enter a token." && text("version") !== "");
assert.equal(text("node"), "ready");
const asked = () => requests.filter((it) => it.includes("v1/")).length;
const before = asked();
assert.ok(before <= 2, requests.join());
const looks = () => requests.filter((it) => it === "GET readyz").length;
const looked = looks();
element("updated").textContent = "…";
document.dispatchEvent(new Event("visibilitychange"));
await until(() => looks() > looked && text("updated") !== "…");
assert.equal(asked(), before);

// What is no token is not sent; one that is is kept in the tab, and the page loaded anew with it.
submit("a b");
assert.equal(location.reloads, undefined);
submit(` ${TOKEN} `);
assert.equal(location.reloads, 1);
assert.deepEqual([...kept.values()], [TOKEN]);
element("token-forget").click();
assert.equal(location.reloads, 2);
assert.equal(kept.size, 0);
process.exit(0);
