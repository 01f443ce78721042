// Puts texts into the page. Nothing here, or anywhere else in the page, makes markup of a text.

/** The element with this id. */
export const element = (id) => document.getElementById(id);

/** Shows a text in an element; one that is there already is left alone, and so not read out again. */
export function tell(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** A child of an element, which holds a text. */
export function add(place, name, text = "") {
  const made = place.appendChild(document.createElement(name));
  made.textContent = text;
  return made;
}

/** The rows of a table, kept in place from one look to the next, so that focus stays. */
export class Rows {
  #body;
  #labels;
  #press;
  #rows = new Map();

  /** `press` is called with the item whose button it was. */
  constructor(table, press = null) {
    this.#body = table.tBodies[0];
    this.#labels = [...table.tHead.rows[0].cells].map((head) => head.textContent);
    this.#press = press;
  }

  /**
   * Shows these: `key` tells rows apart; `cells` are pairs of a text and a note below it, or a text;
   * `state` is for the style; `action` is what the button says, `isBusy` whether it only says so.
   */
  show(items) {
    const keys = new Set(items.map((item) => item.key));
    for (const key of [...this.#rows.keys()].filter((it) => !keys.has(it))) {
      this.#rows.get(key).line.remove();
      this.#rows.delete(key);
    }
    items.forEach((item, at) => {
      const row = this.#rows.get(item.key) ?? this.#add(item);
      const there = this.#body.rows[at];
      if (there !== row.line) this.#body.insertBefore(row.line, there);
      row.item = item;
      row.line.dataset.state = item.state ?? "";
      item.cells.map((it) => [it, ""].flat()).forEach(([text, note], cell) => {
        tell(row.texts[cell], text);
        tell(row.notes[cell], note);
      });
      if (row.button) this.#name(row.button, item);
    });
  }

  /** Its name tells apart what sounds the same, and while it waits it keeps the focus. */
  #name(button, { key, action, isBusy = false }) {
    tell(button, action);
    button.setAttribute("aria-label", `${action} ${key}`);
    button.setAttribute("aria-disabled", String(isBusy));
  }

  #add({ key, cells }) {
    const line = add(this.#body, "tr");
    const places = cells.map((_, at) => add(line, at === 0 ? "th" : "td"));
    places.forEach((place, at) => (place.dataset.label = this.#labels[at]));
    const [texts, notes] = ["span", "small"].map((name) => places.map((place) => add(place, name)));
    const row = { line, texts, notes, button: null, item: null };
    if (this.#press) {
      row.button = add(add(line, "td"), "button");
      row.button.addEventListener("click", () => row.item.isBusy || this.#press(row.item));
    }
    // The style lays rows out as cards where the page is narrow, which would take their roles.
    line.role = "row";
    for (const cell of line.cells) cell.role = cell === places[0] ? "rowheader" : "cell";
    this.#rows.set(key, row);
    return row;
  }
}
