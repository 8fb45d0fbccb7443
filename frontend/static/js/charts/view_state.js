/**
 * How all charts of a page are looked at, and nothing of what they show. It stands in the URL, so that a link restores
 * it; what is as by default is left out of it.
 */

import { replaceQuery } from "../dom.js";
import { X_AXES } from "./x_axis.js";

const DEFAULT_SMOOTHING = 0.6;

export class ViewState {
  /** @type {keyof X_AXES} */ x = "step";
  /** Places on that axis between which the charts are zoomed; null: everything. @type {[number, number] | null} */
  range = null;
  smoothing = DEFAULT_SMOOTHING;
  /** Charts whose y-axis is logarithmic, by name. @type {Set<string>} */ log = new Set();
  /** Whether single far values may lie outside of the chart. */ clips = false;
  /** Whether checkpoints, attempts and pauses are marked. */ marks = true;
  /** The one chart that fills the page. @type {string | null} */ expanded = null;

  static fromUrl() {
    const query = new URLSearchParams(location.search);
    const view = new ViewState();
    const range = (query.get("range") ?? "").split("~").map(Number);
    if (range.length === 2 && range[1] > range[0]) view.range = range;
    if (query.get("x") in X_AXES) view.x = query.get("x");
    const smoothing = Number(query.get("smooth") ?? DEFAULT_SMOOTHING) || 0;
    view.smoothing = Math.min(0.99, Math.max(0, smoothing));
    view.log = new Set((query.get("log") ?? "").split(",").filter(Boolean));
    view.clips = query.get("clip") === "1";
    view.marks = query.get("marks") !== "0";
    view.expanded = query.get("chart");
    return view;
  }

  writeUrl() {
    const query = new URLSearchParams(location.search);
    const put = (key, value) => (value ? query.set(key, value) : query.delete(key));
    put("x", this.x === "step" ? "" : this.x);
    // A place may be below zero and may have decimals, so no minus stands between the two.
    put("range", this.range?.map((place) => String(Number(place.toPrecision(8)))).join("~"));
    put("smooth", this.smoothing === DEFAULT_SMOOTHING ? "" : String(this.smoothing));
    put("log", [...this.log].join(","));
    put("clip", this.clips ? "1" : "");
    put("marks", this.marks ? "" : "0");
    put("chart", this.expanded);
    replaceQuery(query);
  }
}
