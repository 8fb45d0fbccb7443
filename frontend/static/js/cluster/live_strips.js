/** All strips of the page, live: a host's past is fetched when it is unfolded, what comes is pushed. */

import { get } from "../api.js";
import { onThemeChange } from "../charts/theme.js";
import { byId, showFault } from "../dom.js";
import { liveDots, Stream } from "../stream.js";
import { shownHosts } from "./host_list.js";
import { HostStrips } from "./host_strips.js";
import { heatColours } from "./strip.js";

// So few hosts are unfolded from the beginning; on a phone one.
const MOST_OPEN = 4;
const isNarrow = () => matchMedia("(max-width: 720px)").matches;

export class LiveStrips {
  /** @type {Map<string, HostStrips>} */ #all = new Map();
  #colours = heatColours();

  start() {
    const stream = new Stream([], liveDots(), { readings: true });
    stream.on("readings", ({ readings }) => this.#hear(readings));
    stream.on("hello", () => this.#loadOpen());
    stream.open();
    onThemeChange(() => {
      this.#colours = heatColours();
      this.show();
    });
    document.addEventListener("visibilitychange", () => this.show());
    new ResizeObserver(() => this.show()).observe(byId("strips"));
    this.show();
  }

  /** The hosts that the page shows now, in its order. */
  show() {
    if (document.visibilityState !== "visible") return;
    const hosts = shownHosts();
    const isNew = this.#all.size === 0;
    const strips = hosts.map((host) => this.#stripsOf(host));
    const elements = strips.map(({ element }) => element);
    const place = byId("strips");
    if (elements.some((element, at) => place.children[at] !== element) || place.children.length !== elements.length) {
      place.replaceChildren(...elements);
    }
    const numOpen = hosts.length > MOST_OPEN || isNarrow() ? 1 : MOST_OPEN;
    if (isNew) for (const element of elements.slice(0, numOpen)) element.open = true;
    strips.forEach((one, at) => one.show(hosts[at], this.#colours));
  }

  #stripsOf(host) {
    if (!this.#all.has(host.name)) this.#all.set(host.name, new HostStrips(host, (name) => this.#load(name)));
    return this.#all.get(host.name);
  }

  #hear(readings) {
    for (const reading of readings) this.#all.get(reading.host)?.history.append(reading);
    this.show();
  }

  #loadOpen() {
    for (const [name, strips] of this.#all) if (strips.isOpen) this.#load(name);
  }

  async #load(name) {
    try {
      this.#all.get(name).history.load(await get(`/hosts/${encodeURIComponent(name)}/readings`));
      showFault(byId("strips-fault"), null);
    } catch (error) {
      showFault(byId("strips-fault"), error);
    }
    this.show();
  }
}
