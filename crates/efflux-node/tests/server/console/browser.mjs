// As much of a browser as the console uses, for a machine that has none. What would make markup of a
// text is not there, so that a page which used it would fail.

/** Those who wait for something to be shown. */
const waiting = new Set();

/** They look when the page is done with what it does, and not in the middle of it. */
function changed() {
  for (const look of waiting) queueMicrotask(look);
}

/** Tells what the page shows, for whoever wonders why a test failed. */
let shown = () => "nothing";

/** What does not come within this time does not come. */
const PATIENCE_MS = 30_000;

/** Returns when this holds; it is looked at whenever the page changes. */
export function until(holds) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${holds} does not hold: ${shown()}`)), PATIENCE_MS);
    const look = () => {
      if (!waiting.has(look) || !holds()) return;
      clearTimeout(timer);
      waiting.delete(look);
      resolve();
    };
    waiting.add(look);
    look();
  });
}

class Element extends EventTarget {
  #text = "";
  children = [];
  dataset = {};
  attributes = new Map();
  parent = null;
  hidden = false;
  value = "";

  constructor(name) {
    super();
    this.name = name;
  }

  get textContent() {
    return this.children.length > 0 ? this.children.map((it) => it.textContent).join("") : this.#text;
  }

  set textContent(text) {
    this.replaceChildren();
    this.#text = String(text);
    changed();
  }

  appendChild(child) {
    return this.insertBefore(child, undefined);
  }

  insertBefore(child, before) {
    child.remove();
    child.parent = this;
    this.children.splice(before ? this.children.indexOf(before) : this.children.length, 0, child);
    changed();
    return child;
  }

  remove() {
    if (this.parent) this.parent.children = this.parent.children.filter((it) => it !== this);
    this.parent = null;
  }

  replaceChildren() {
    for (const child of [...this.children]) child.remove();
  }

  setAttribute(name, value) {
    this.attributes.set(name, value);
    changed();
  }

  get rows() {
    return this.children;
  }

  get cells() {
    return this.children;
  }

  get tHead() {
    return this.children[0];
  }

  get tBodies() {
    return this.children.slice(1);
  }

  showModal() {
    this.isOpen = true;
    changed();
  }

  close(value) {
    this.isOpen = false;
    this.returnValue = value;
    this.dispatchEvent(new Event("close"));
  }

  click() {
    this.dispatchEvent(new Event("click"));
  }
}

/**
 * Loads the markup of a page: elements with ids, and tables with the labels of their heads. The tab
 * has this token.
 */
export function load(markup, base, token) {
  const elements = new Map();
  for (const [, name, id] of markup.matchAll(/<(\w+)[^>]*\bid="([^"]+)"/g)) elements.set(id, new Element(name));
  for (const [, id, head] of markup.matchAll(/<table id="(\w+)".*?<tr[^>]*>(.*?)<\/tr>/gs)) {
    const line = elements.get(id).appendChild(new Element("thead")).appendChild(new Element("tr"));
    for (const [label] of head.matchAll(/<th.*?<\/th>/g)) {
      line.appendChild(new Element("th")).textContent = label.replace(/<[^>]*>/g, "");
    }
    elements.get(id).appendChild(new Element("tbody"));
  }
  console.error = (fault) => {
    throw fault;
  };
  const kept = new Map(token === null ? [] : [["efflux.token", token]]);
  const page = new EventTarget();
  globalThis.document = Object.assign(page, {
    hidden: false,
    body: new Element("body"),
    createElement: (name) => new Element(name),
    getElementById: (id) => elements.get(id) ?? null,
  });
  globalThis.sessionStorage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
  globalThis.location = {
    reload() {
      this.reloads = (this.reloads ?? 0) + 1;
      changed();
    },
  };
  const asked = globalThis.fetch;
  const requests = [];
  shown = () => JSON.stringify([[...elements].map(([id, it]) => `${id}: ${it.textContent}`), requests], null, 1);
  globalThis.fetch = (target, how) => {
    requests.push(`${how.method} ${target}`);
    // A page that is not the node's own would say so; what Node.js sends says nothing.
    return asked(new URL(target, base), how);
  };
  return { element: (id) => elements.get(id), kept, requests };
}
