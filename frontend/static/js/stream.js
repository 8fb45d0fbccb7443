/**
 * The one server-sent-event stream of a tab. The browser itself reconnects and sends Last-Event-ID; when it gives up
 * (an answer that is not a stream, as from a proxy while the server restarts) we open a new one.
 *
 * Listeners get the data of a message; `hello` comes first on every connection, with `resumed` true when the stream
 * goes on from the last event that this page has heard. Any other hello means that something may have been missed.
 */

const KINDS = [
  "job", "step", "eval", "phase", "plan", "checkpoint", "checkpoint_removed", "fp8", "alert", "error", "end", "log", "hello",
  "reset", "readings",
];
const REOPEN_AFTER_MS = 2000;
const STALE_AFTER_MS = 10_000;

export class Stream {
  #listeners = new Map();
  #onLink;
  #source = null;
  #lastHeard = 0;
  #lastId = 0;

  /**
   * @param {string[]} jobs ids; none: all jobs
   * @param {(link: "live" | "reconnecting", since: number) => void} onLink
   * @param {{readings?: boolean}} [also] readings: what hosts read; without a job that alone
   */
  constructor(jobs, onLink, { readings = false } = {}) {
    const parts = jobs.map((id) => `job=${encodeURIComponent(id)}`);
    const query = [...parts, ...(readings ? ["readings=true"] : [])].join("&");
    this.url = `/api/v1/stream${query ? `?${query}` : ""}`;
    this.#onLink = onLink;
  }

  /** @param {string} kind @param {(data: any) => void} listener */
  on(kind, listener) {
    const all = this.#listeners.get(kind) ?? [];
    this.#listeners.set(kind, [...all, listener]);
    return this;
  }

  open() {
    this.#source?.close();
    const source = new EventSource(this.url);
    this.#source = source;
    this.#lastHeard = Date.now();
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.#hear(kind, event));
    source.addEventListener("open", () => this.#onLink("live", Date.now()));
    source.addEventListener("error", () => this.#lost(source));
  }

  close() {
    this.#source?.close();
    this.#source = null;
  }

  #hear(kind, event) {
    // The browser's own connection errors are also of type "error", but carry no data.
    if (event.data === undefined) return;
    this.#lastHeard = Date.now();
    const lastId = this.#lastId;
    this.#lastId = Math.max(lastId, Number(event.lastEventId));
    const listeners = this.#listeners.get(kind);
    if (!listeners) return;
    const data = JSON.parse(event.data);
    if (kind === "hello") data.resumed = lastId > 0 && Number(data.cursor) <= lastId;
    for (const listener of listeners) listener(data);
  }

  #lost(source) {
    if (source !== this.#source || source.readyState === EventSource.OPEN) return;
    this.#onLink("reconnecting", this.#lastHeard);
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(() => source === this.#source && this.open(), REOPEN_AFTER_MS);
  }
}

/** Show in every live dot of the page how the stream is, and since when it is stale. */
export function liveDots() {
  const dots = [...document.querySelectorAll("[data-live]")];
  let lostAt = 0;
  const show = (link, text) => {
    for (const dot of dots) {
      dot.hidden = false;
      dot.dataset.link = link;
      dot.querySelector("[data-live-text]").textContent = text;
    }
  };
  setInterval(() => {
    if (!lostAt || Date.now() - lostAt < STALE_AFTER_MS) return;
    show("stale", `stale since ${new Date(lostAt).toTimeString().slice(0, 8)}`);
  }, 1000);
  return (link, since) => {
    if (link === "live") lostAt = 0;
    else lostAt ||= since;
    show(link, link);
  };
}
