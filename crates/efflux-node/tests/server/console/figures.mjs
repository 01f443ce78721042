// The pure functions of the console, held against what they promise. Run by console.rs.

import assert from "node:assert/strict";
import { Meter, count, isToken, pace, page, pause, problem, reloaded, sequence, summary } from "./figures.js";

for (const [value, expected] of [[0, "0"], [1234567, "1,234,567"], [undefined, "–"], [NaN, "–"], ["7", "–"]]) {
  assert.equal(count(value), expected);
}

for (const [value, expected] of [
  [0, ""], [-1, ""], [0.01, "< 0.1/s"], [0.5, "0.5/s"], [12.345, "12.3/s"], [48210, "48,200/s"],
  [null, ""], [NaN, ""], [Infinity, ""],
]) {
  assert.equal(pace(value), expected);
}

const meter = new Meter();
assert.equal(meter.perSecond("a", 10, 1000), null, "one look tells no rate");
assert.equal(meter.perSecond("b", 0, 1000), null);
assert.equal(meter.perSecond("a", 20, 3000), 5);
assert.equal(meter.perSecond("a", 20, 4000), 0);
assert.equal(meter.perSecond("a", 3, 5000), null, "a counter that began anew tells no rate");
assert.equal(meter.perSecond("a", 5, 5000), null, "neither does no time");
assert.equal(meter.perSecond("a", 7, 6000), 2);
assert.equal(meter.perSecond("b", 10, 6000), 2, "each counter has looks of its own");

for (const [head, expected] of [["12:ab", 12], ["0:", 0], ["", NaN], [":ab", NaN], ["-1:ab", NaN], ["x1:ab", NaN]]) {
  assert.equal(sequence(head), expected);
}

assert.equal(summary([]), "none");
assert.equal(summary(["running", "failed", "running"]), "1 failed, 2 running");
assert.equal(summary(["__proto__", "constructor"]), "1 __proto__, 1 constructor");

const nothing = { started: [], stopped: [], restarted: [], faults: [] };
assert.deepEqual(reloaded(nothing), [["Nothing has changed.", []]]);
assert.deepEqual(reloaded({ ...nothing, started: ["a"], faults: ["a.toml: line 4, column 9: what"] }), [
  ["Started", ["a"]],
  ["Faults", ["a.toml: line 4, column 9: what"]],
]);

const names = Array.from({ length: 45 }, (_, at) => `topic-${at}`);
const part = (text, from) => {
  const { shown, begin, place, isFirst, isLast } = page(names, text, from, 20);
  return [shown.length, begin, place, isFirst, isLast];
};
assert.deepEqual(part("", 0), [20, 0, "1 to 20 of 45", true, false]);
assert.deepEqual(part("", 40), [5, 40, "41 to 45 of 45", false, true]);
assert.deepEqual(part("", 60), [5, 40, "41 to 45 of 45", false, true], "the last page is the last one");
assert.deepEqual(part("", -20), [20, 0, "1 to 20 of 45", true, false]);
assert.deepEqual(part(" TOPIC-4", 20), [6, 0, "1 to 6 of 6", true, true]);
assert.deepEqual(part("none", 0), [0, 0, "none", true, true]);

assert.equal(pause(2000, 10, 0), 2000);
assert.equal(pause(2000, 3000, 0), 12000, "a node that is slow is asked less often");
assert.equal(pause(2000, 10, 1), 4000);
assert.equal(pause(2000, 10, 1000), 30000);

assert.ok(isToken("efx_abc-123.~"));
for (const text of ["", "a b", "a\nb", "ä", "a\u0000"]) assert.ok(!isToken(text));

assert.equal(problem(0, undefined, true), "The node does not answer.");
assert.equal(problem(401, "send a token", false), "Enter a token.");
assert.equal(problem(401, "send a token", true), "The token is not valid: use another one.");
assert.equal(problem(403, "the token may not", true), "the token may not.");
assert.equal(problem(502, undefined, true), "The node answers 502.");
assert.equal(problem(502, { a: 1 }, true), "The node answers 502.");
