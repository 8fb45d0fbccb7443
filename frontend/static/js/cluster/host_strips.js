/** The strips of one host: a fold with a line that sums it up, and in it a row a GPU, or one row for its cores. */

import { setText } from "../dom.js";
import { count } from "../format.js";
import { History } from "./history.js";
import { ofGpu, ofHost, percentText } from "./quantities.js";
import { Strip } from "./strip.js";

const MOST_DEVICES = 8;
const MOST_RUNS = 3;
/** By how many strips and by how many readings a key moves. */
const MOVES = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -Infinity], End: [0, Infinity],
};

export class HostStrips {
  #rows = new Map();
  #showsAll = false;
  #host;

  /** @param {import("./host_list.js").Host} host @param {(name: string) => void} onOpen */
  constructor(host, onOpen) {
    this.name = host.name;
    this.history = new History();
    this.element = document.createElement("details");
    this.element.className = "host-strips";
    this.element.dataset.strips = host.name;
    this.element.innerHTML = '<summary><strong></strong><span class="muted"></span></summary>'
      + '<p class="muted small"></p><table><tbody></tbody></table>'
      + '<button type="button" class="button small" hidden></button>';
    this.element.addEventListener("toggle", () => this.element.open && onOpen(this.name));
    this.element.querySelector("tbody").addEventListener("keydown", (event) => this.#onKey(event));
    this.element.querySelector("button").addEventListener("click", () => {
      this.#showsAll = true;
      this.show(this.#host, this.colours);
    });
  }

  get isOpen() {
    return this.element.open && !this.element.hidden;
  }

  /** @param {import("./host_list.js").Host} host @param {string[]} colours */
  show(host, colours) {
    this.#host = host;
    this.colours = colours;
    const [name, sum] = this.element.querySelectorAll("summary > *");
    setText(name, host.name);
    setText(sum, this.#sum(host));
    if (!this.isOpen) return;
    setText(this.element.querySelector("p"), this.#silence(host));
    const { times, own, devices } = this.history;
    if (!times.length) return;
    this.#showRow("host", "Host", ofHost(host.memoryBytes), own, "");
    const indices = [...devices.keys()].sort((a, b) => a - b);
    for (const index of this.#showsAll ? indices : indices.slice(0, MOST_DEVICES)) {
      const columns = devices.get(index);
      this.#showRow(index, `GPU ${index}`, ofGpu(host.deviceBytes, columns.powerLimitW), columns, columns.jobId);
    }
    const more = this.element.querySelector("button");
    more.hidden = this.#showsAll || indices.length <= MOST_DEVICES;
    setText(more, `and ${count(indices.length - MOST_DEVICES)} more GPUs`);
  }

  #silence({ isAlive, isRay }) {
    if (this.history.times.length) return "";
    if (isRay) return "It speaks for a Ray cluster, whose nodes are not read. Ray's own dashboard shows them.";
    return isAlive ? "Nothing has been read yet." : "Silent: nothing was read in the last ten minutes.";
  }

  #showRow(key, title, quantities, columns, jobId) {
    if (!this.#rows.has(key)) this.#rows.set(key, this.#newRow(title, quantities));
    const { holder, strips } = this.#rows.get(key);
    if (holder.dataset.job !== jobId) {
      holder.dataset.job = jobId;
      holder.replaceChildren(jobId ? runLink(jobId, this.#host.runs.get(jobId)) : "");
    }
    strips.forEach((strip, at) => {
      strip.quantity = quantities[at];
      strip.show(this.history.times, columns[quantities[at].name], this.colours);
    });
  }

  #newRow(title, quantities) {
    const row = this.element.querySelector("tbody").insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    const holder = document.createElement("span");
    holder.className = "holder";
    head.append(title, holder);
    row.append(head);
    const strips = quantities.map((quantity) => {
      const strip = new Strip(`${title} of ${this.name}`, quantity);
      const place = row.insertCell();
      const label = document.createElement("span");
      label.className = "label";
      label.textContent = quantity.title;
      place.append(label, strip.value, strip.canvas);
      return strip;
    });
    if (this.#rows.size === 0) strips[0].canvas.tabIndex = 0;
    return { holder, strips };
  }

  /** One stop for the Tab key a host: up and down go from strip to strip, left, right, Home and End through time. */
  #onKey(event) {
    const all = [...this.#rows.values()].flatMap(({ strips }) => strips);
    const at = all.findIndex(({ canvas }) => canvas === event.target);
    if (at < 0) return;
    const [move, step] = MOVES[event.key] ?? [0, 0];
    if (!move && !step) return;
    event.preventDefault();
    if (step) return all[at].step(step);
    const next = all[at + move];
    if (!next) return;
    Object.assign(all[at].canvas, { tabIndex: -1 });
    Object.assign(next.canvas, { tabIndex: 0 }).focus();
  }

  #sum({ kind, device, deviceBytes, memoryBytes, runs }) {
    const { own, devices, times } = this.history;
    const gpus = [...devices.values()];
    const parts = kind === "cuda" ? [`${gpus.length || ""} ${device}`.trim()] : ["CPU"];
    if (times.length) parts.push(...(gpus.length ? gpuSum(gpus, deviceBytes) : cpuSum(own, memoryBytes)));
    const names = [...runs.values()];
    const more = names.length > MOST_RUNS ? ` and ${count(names.length - MOST_RUNS)} more` : "";
    parts.push(names.length ? names.slice(0, MOST_RUNS).join(", ") + more : "idle");
    return parts.join(" · ");
  }
}

function runLink(id, name = id) {
  const link = document.createElement("a");
  link.href = `/runs/${id}`;
  link.textContent = name;
  return link;
}

function cpuSum(own, memoryBytes) {
  return ofHost(memoryBytes).map(({ name, title, text }) => `${title.toLowerCase()} ${text(own[name].at(-1))}`);
}

function gpuSum(gpus, deviceBytes) {
  const known = (name) => gpus.map((gpu) => gpu[name].at(-1)).filter((value) => typeof value === "number");
  const total = (name) => known(name).reduce((sum, value) => sum + value, 0);
  const [busy, memory, power, warm] = ["utilization", "memory_bytes", "power_w", "temperature_c"].map(known);
  return [
    busy.length && `${percentText(total("utilization") / busy.length)} busy`,
    memory.length && ofGpu(deviceBytes * gpus.length, null)[1].text(total("memory_bytes")),
    power.length && `${count(total("power_w"))} W`,
    warm.length && `at most ${Math.max(...warm)} °C`,
  ].filter(Boolean);
}
