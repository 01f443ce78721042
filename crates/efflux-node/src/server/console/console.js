// The page as a whole: who looks at what, and how often.

import { isToken, pause } from "./figures.js";
import { ask, forgetToken, keepToken, token } from "./interface.js";
import { lookAtPipelines, operatePipelines } from "./pipelines.js";
import { element, tell } from "./table.js";
import { lookAtTopics, operateTopics } from "./topics.js";

/** Looks again and again while the page is visible; what it returns looks at once. */
function repeat(everyMs, look) {
  let [timer, isLooking, isWanted, failures] = [0, false, false, 0];
  async function turn() {
    clearTimeout(timer);
    isWanted = true;
    if (isLooking || document.hidden) return;
    [isLooking, isWanted] = [true, false];
    const beganMs = performance.now();
    // What is wrong in the page itself is told, and keeps it from nothing else.
    const isWell = await look().catch((fault) => console.error(fault));
    failures = isWell ? 0 : failures + 1;
    isLooking = false;
    timer = setTimeout(turn, isWanted ? 0 : pause(everyMs, performance.now() - beganMs, failures));
  }
  document.addEventListener("visibilitychange", turn);
  turn();
  return turn;
}

/** Whether a valid token is missing: until there is one, nothing that needs one is asked. */
let isLocked = false;
let wasReady = false;

async function unlessLocked(look) {
  if (isLocked) return true;
  const { ok, status, why } = await look();
  isLocked = status === 401;
  if (isLocked) tell(element("token-state"), why);
  return ok;
}

async function lookAtNode() {
  const { ok, status } = await ask("readyz");
  document.body.dataset.node = ok ? "ready" : "away";
  tell(element("node"), ok ? "ready" : status === 0 ? "does not answer" : "not ready");
  if (!ok) return (wasReady = false);
  tell(element("updated"), new Date().toLocaleTimeString());
  // A node that was away may have come back as another version.
  if (!wasReady) tell(element("version"), (await ask("console/version.txt")).value ?? "");
  wasReady = true;
  return unlessLocked(lookAtPipelines);
}

operatePipelines(repeat(2000, lookAtNode));
operateTopics(repeat(5000, () => unlessLocked(lookAtTopics)));

tell(element("token-state"), token() === null ? "No token is sent." : "This tab has a token.");
element("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = element("token").value.trim();
  if (!isToken(text)) return tell(element("token-state"), "A token has no spaces and no other letters than a to z.");
  keepToken(text);
  // What is shown is another token's to see.
  return location.reload();
});
element("token-forget").addEventListener("click", () => {
  forgetToken();
  location.reload();
});
