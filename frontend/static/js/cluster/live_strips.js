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
  /** @type {import("./host_list.js").Host[]} as the table said when it was last read */ #hosts = [];
  #colours = heatColours();

  start() {
    const stream = new Stream([], liveDots(), { readings: true });
    stream.on("readings", ({ readings }) => this.#hear(readings));
    stream.on("hello", () => this.#loadOpen());
    stream.open();
    onThemeChange(() => {
      this.#colours = heatColours();
      this.#draw();
    });
    document.addEventListener("visibilitychange", () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(byId("strips"));
    this.show();
  }

  /** The hosts that the table shows now, in its order. */
  show() {
    this.#hosts = shownHosts();
    const isNew = this.#all.size === 0;
    const elements = this.#hosts.map((host) => this.#stripsOf(host).element);
    const place = byId("strips");
    if (elements.some((element, at) => place.children[at] !== element) || place.children.length !== elements.length) {
      place.replaceChildren(...elements);
    }
    const numOpen = this.#hosts.length > MOST_OPEN || isNarrow() ? 1 : MOST_OPEN;
    if (isNew) for (const element of elements.slice(0, numOpen)) element.open = true;
    this.#draw();
  }

  #draw() {
    if (document.visibilityState !== "visible") return;
    for (const host of this.#hosts) this.#stripsOf(host).show(host, this.#colours);
  }

  #stripsOf(host) {
    if (!this.#all.has(host.name)) this.#all.set(host.name, new HostStrips(host, (name) => this.#load(name)));
    return this.#all.get(host.name);
  }

  #hear(readings) {
    for (const reading of readings) this.#all.get(reading.host)?.history.append(reading);
    this.#draw();
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
    this.#draw();
  }
}
