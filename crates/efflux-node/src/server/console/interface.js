// Asks the node. Paths are relative to the page, so that a proxy may put the node in a folder.

import { problem } from "./figures.js";

const KEY = "efflux.token";
const PATIENCE_MS = 10_000;

/** The token that is sent, kept until the tab is closed; null without one. */
export const token = () => sessionStorage.getItem(KEY);
export const keepToken = (text) => sessionStorage.setItem(KEY, text);
export const forgetToken = () => sessionStorage.removeItem(KEY);

/** Names as parts of a path, each written so that it stays one part. */
export const path = (...names) => names.map(encodeURIComponent).join("/");

/**
 * Asks, and never throws: status 0 is a node that did not answer. `value` is what the answer holds,
 * JSON or a text; `why` says in a sentence what is wrong, and is empty when nothing is.
 */
export async function ask(target, method = "GET") {
  const secret = token();
  const headers = secret === null ? {} : { authorization: `Bearer ${secret}` };
  // What changes something takes its time: a pipeline that stops delivers what is under way.
  const signal = method === "POST" ? undefined : AbortSignal.timeout(PATIENCE_MS);
  const how = { method, headers, signal, cache: "no-store", credentials: "omit", redirect: "error" };
  let [ok, status, value] = [false, 0, null];
  try {
    const response = await fetch(target, how);
    const isJson = response.headers.get("content-type")?.includes("json");
    value = await (isJson ? response.json() : response.text());
    ({ ok, status } = response);
  } catch {
    // The network, its patience, or an answer that breaks off: no answer.
  }
  return { ok, status, value, why: ok ? "" : problem(status, value?.detail, secret !== null) };
}
