/** What the list of runs is narrowed to: the search box and the buttons beside it. It stands in the URL. */

import { byId, replaceQuery } from "../dom.js";

const SEARCH_AFTER_MS = 200;

const stateButtons = () => [...document.querySelectorAll("[data-filter-state]")];
const isOn = (button) => button.getAttribute("aria-pressed") === "true";
const press = (button, on) => button.setAttribute("aria-pressed", String(on));

export class Filters {
  #typing = 0;

  /**
   * @param {Record<string, string[]>} groups states that a button stands for, where it is more than its own
   * @param {() => void} onChange
   */
  constructor(groups, onChange) {
    this.groups = groups;
    this.onChange = onChange;
    this.#readUrl();
    this.#listen();
  }

  get text() {
    return byId("search").value.trim();
  }

  get #pressed() {
    return stateButtons().filter(isOn).map((button) => button.dataset.filterState);
  }

  get isNarrow() {
    return Boolean(this.text || this.#pressed.length || isOn(byId("archived")));
  }

  /** What GET /jobs is asked for. */
  get query() {
    const state = this.#pressed.flatMap((name) => this.groups[name] ?? [name]);
    return { q: this.text, state, archived: isOn(byId("archived")) ? "yes" : "" };
  }

  /** Search for something else. @param {string} text */
  search(text) {
    byId("search").value = text;
    this.#changed();
  }

  #changed() {
    clearTimeout(this.#typing);
    const query = new URLSearchParams();
    if (this.text) query.set("q", this.text);
    for (const state of this.#pressed) query.append("state", state);
    if (isOn(byId("archived"))) query.set("archived", "yes");
    replaceQuery(query);
    this.onChange();
  }

  #readUrl() {
    const query = new URLSearchParams(location.search);
    byId("search").value = query.get("q") ?? "";
    const states = query.getAll("state");
    for (const button of stateButtons()) press(button, states.includes(button.dataset.filterState));
    press(byId("archived"), query.get("archived") === "yes");
  }

  #listen() {
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("search").addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#changed(), SEARCH_AFTER_MS);
    });
    for (const button of [...stateButtons(), byId("archived")]) {
      button.addEventListener("click", () => {
        press(button, !isOn(button));
        this.#changed();
      });
    }
    byId("clear-filters").addEventListener("click", () => {
      byId("search").value = "";
      for (const button of [...stateButtons(), byId("archived")]) press(button, false);
      this.#changed();
    });
  }
}
