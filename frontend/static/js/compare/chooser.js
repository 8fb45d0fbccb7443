/** Finding runs to compare: a search whose hits can be added, and the chosen ones, each of which can be left out. */

import { get } from "../api.js";
import { byId } from "../dom.js";
import { runLink } from "./run_link.js";

const SEARCH_AFTER_MS = 200;
const MOST_HITS = 8;
/** So many lines are still told apart, and drawn twice a second. */
const MOST_AT_ONCE = 50;

export class Chooser {
  #timer = 0;
  #asked = 0;

  /** @param {{has: (id: string) => boolean, addAll: (ids: string[]) => void, remove: (id: string) => void}} chosen */
  constructor(chosen) {
    this.chosen = chosen;
    const field = byId("find-run");
    field.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#search(field.value.trim()), SEARCH_AFTER_MS);
    });
    field.addEventListener("focus", () => this.#search(field.value.trim()));
    byId("chooser").addEventListener("submit", (event) => {
      event.preventDefault();
      byId("hits").querySelector("button")?.click();
    });
    byId("chooser").addEventListener("keydown", (event) => event.key === "Escape" && this.#close());
    document.addEventListener("click", ({ target }) => byId("chooser").contains(target) || this.#close());
  }

  #close() {
    byId("hits").hidden = true;
  }

  async #search(text) {
    const mine = (this.#asked += 1);
    const page = await get("/jobs", { q: text, limit: MOST_AT_ONCE }).catch((error) => ({ items: [], error }));
    if (mine !== this.#asked) return;
    const hits = page.items.filter(({ id }) => !this.chosen.has(id));
    const lines = hits.slice(0, MOST_HITS).map((job) => this.#hitOf(job));
    if (text && hits.length > 1) lines.push(this.#allOf(hits, page.next_cursor));
    byId("hits").hidden = false;
    byId("hits").replaceChildren(...(hits.length ? lines : [page.error ? faultOf(page.error) : nothing(text)]));
    byId("find-run").setAttribute("aria-invalid", String(Boolean(page.error)));
  }

  #take(ids) {
    byId("find-run").value = "";
    this.#close();
    this.chosen.addAll(ids);
  }

  /** Everything that was found, at once. */
  #allOf(hits, isMore) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "all-hits";
    button.textContent = isMore ? `Add the newest ${hits.length}` : `Add all ${hits.length}`;
    button.addEventListener("click", () => this.#take(hits.map(({ id }) => id)));
    return button;
  }

  #hitOf(job) {
    const button = document.createElement("button");
    button.type = "button";
    const about = document.createElement("span");
    about.className = "muted small";
    about.textContent = `${job.state} · ${job.model} · ${job.dataset} · ${job.id}`;
    button.append(job.name, about);
    button.addEventListener("click", () => this.#take([job.id]));
    return button;
  }

  /** @param {import("./run_set.js").Run[]} runs */
  show(runs) {
    byId("chosen").replaceChildren(...runs.map((run) => {
      const item = document.createElement("li");
      const leave = document.createElement("button");
      leave.type = "button";
      leave.textContent = "×";
      leave.setAttribute("aria-label", `Leave out ${run.label}`);
      leave.addEventListener("click", () => this.chosen.remove(run.id));
      item.append(runLink(run), leave);
      return item;
    }));
  }
}

function faultOf({ message, mend }) {
  const line = document.createElement("p");
  line.className = "small fault-line";
  line.setAttribute("role", "alert");
  line.textContent = `${message}: ${mend}`;
  return line;
}

function nothing(text) {
  const line = document.createElement("p");
  line.className = "muted small";
  line.textContent = text ? `No other run matches “${text}”.` : "There is no other run.";
  return line;
}
