// What is computed and worded: pure functions, which know neither the page nor the node.

const WHOLE = new Intl.NumberFormat("en");
const SOME = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** A count with its digits in groups; a dash for what is no count. */
export const count = (value) => (Number.isFinite(value) ? WHOLE.format(value) : "–");

/** How many a second; nothing where there are none, or that is not known. */
export function pace(perSecond) {
  if (!Number.isFinite(perSecond) || perSecond <= 0) return "";
  return perSecond < 0.1 ? "< 0.1/s" : `${SOME.format(perSecond)}/s`;
}

/** Tells from two looks at a counter how fast it counts. */
export class Meter {
  #seen = new Map();

  /** How many a second since the last look; null at the first, and where the counter began anew. */
  perSecond(name, value, atMs) {
    const last = this.#seen.get(name);
    this.#seen.set(name, { value, atMs });
    if (!last || value < last.value || atMs <= last.atMs) return null;
    return ((value - last.value) * 1000) / (atMs - last.atMs);
  }
}

/** The sequence of a head, which is written SEQUENCE:FINGERPRINT. */
export const sequence = (head) => Number(/^(\d+):/.exec(head)?.[1] ?? NaN);

/** How many there are of each state, in words. */
export function summary(states) {
  const counts = new Map();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].sort().map(([state, many]) => `${count(many)} ${state}`).join(", ") || "none";
}

/** What reading the folder again came to: pairs of a heading and its lines. */
export function reloaded({ started, stopped, restarted, faults }) {
  const told = { Started: started, Stopped: stopped, Restarted: restarted, Faults: faults };
  const some = Object.entries(told).filter(([, lines]) => lines.length > 0);
  return some.length > 0 ? some : [["Nothing has changed.", []]];
}

/** The part of the names that is shown: those that hold a text, from a place on, at most so many. */
export function page(names, text, from, size) {
  const wanted = text.trim().toLowerCase();
  const all = names.filter((name) => name.toLowerCase().includes(wanted));
  const last = Math.max(0, Math.ceil(all.length / size) - 1) * size;
  const begin = Math.min(Math.max(0, from), last);
  const shown = all.slice(begin, begin + size);
  const place = `${count(begin + 1)} to ${count(begin + shown.length)} of ${count(all.length)}`;
  return { shown, begin, place: all.length > 0 ? place : "none", isFirst: begin === 0, isLast: begin === last };
}

/** How long to wait until the next look: longer for a node that is slow, and longer for each failure. */
export function pause(everyMs, tookMs, failures) {
  return Math.min(Math.max(everyMs, 4 * tookMs) * 2 ** Math.min(failures, 10), 30_000);
}

/** Whether a text can be sent as a token: visible ASCII. */
export const isToken = (text) => /^[\x21-\x7e]+$/.test(text);

/** What an answer that is none of those hoped for says, in a sentence. */
export function problem(status, detail, hasToken) {
  if (status === 0) return "The node does not answer.";
  if (status === 401) return hasToken ? "The token is not valid: use another one." : "Enter a token.";
  return typeof detail === "string" ? `${detail}.` : `The node answers ${status}.`;
}
