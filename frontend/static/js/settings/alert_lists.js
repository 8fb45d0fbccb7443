/** The lists of the settings page: channels, rules and deliveries, each row with what can be done about it. */

import { byId, sinceElement, tableRow } from "../dom.js";
import { count, duration, number } from "../format.js";

const words = (name) => name.replaceAll("_", " ");

/**
 * All rows anew; the button that had the focus has it again, and where it is gone, the heading of its section.
 * @param {string} id of the table's body @param {any[]} items @param {(item: any) => [string, string | Node, string?][]} cellsOf
 */
function fill(id, items, cellsOf) {
  const body = byId(id);
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  const wanted = focused && { item: focused.closest("tr").dataset.item, does: focused.dataset.does };
  body.replaceChildren(...items.map((item) => rowOf(item.id, cellsOf(item))));
  body.closest(".table-frame").hidden = items.length === 0;
  if (!focused) return;
  const row = [...body.rows].find(({ dataset }) => dataset.item === wanted.item);
  const heading = body.closest("section").querySelector("h2");
  heading.tabIndex = -1;
  (row?.querySelector(`[data-does="${wanted.does}"]`) ?? heading).focus({ preventScroll: true });
}

function rowOf(id, cells) {
  const row = tableRow(cells);
  row.dataset.item = id;
  return row;
}

/** @param {[string, string, () => void][]} actions name, label, and what is done */
function buttons(actions) {
  const place = document.createElement("span");
  place.append(...actions.map(([name, label, act]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small";
    button.dataset.does = name;
    button.textContent = label;
    button.addEventListener("click", act);
    return button;
  }));
  return place;
}

/** Name over a second line. */
function head(name, about) {
  const place = document.createElement("span");
  const [strong, sub] = [document.createElement("strong"), document.createElement("span")];
  strong.textContent = name;
  sub.className = "sub";
  sub.textContent = about;
  place.append(strong, sub);
  return place;
}

/** @param {any[]} channels @param {{test: Function, remove: Function}} actions */
export function showChannels(channels, { test, remove }) {
  byId("no-channels").hidden = channels.length > 0;
  fill("channels", channels, (channel) => [
    ["Channel", head(channel.name, channel.kind), "head"],
    ["Where", channel.where],
    ["State", channel.enabled ? "on" : "off"],
    ["", buttons([["test", "Send a test", () => test(channel)], ["remove", "Remove", () => remove(channel)]]), "act"],
  ]);
}

/** @param {any[]} rules @param {any[]} channels @param {{toggle: Function, remove: Function}} actions */
export function showRules(rules, channels, { toggle, remove }) {
  const nameOf = (id) => channels.find((channel) => channel.id === id)?.name ?? "a channel that is gone";
  fill("rules", rules, (rule) => [
    ["Rule", head(rule.name, ""), "head"],
    ["When", whenText(rule.when)],
    ["Of which runs", scopeText(rule.scope)],
    ["Goes to", rule.channels.map(nameOf).join(", ") || "all channels"],
    ["State", rule.enabled ? "on" : "off"],
    ["", buttons([
      ["toggle", rule.enabled ? "Switch off" : "Switch on", () => toggle(rule)],
      ["remove", "Remove", () => remove(rule)],
    ]), "act"],
  ]);
}

function whenText(when) {
  if (when.kind === "state") return `it is ${when.state}`;
  if (when.kind === "condition") return words(when.code);
  const points = when.steps > 1 ? ` for ${count(when.steps)} points` : "";
  const time = when.seconds > 0 ? ` for ${duration(when.seconds)}` : "";
  return `${words(when.metric)} ${when.comparison} ${number(when.threshold)}${points}${time}`;
}

function scopeText({ job, name, tag }) {
  const parts = [name && `named ${name}`, tag && `tagged ${tag}`, job && `with the id ${job}`];
  return parts.filter(Boolean).join(", ") || "all";
}

/** @param {any[]} deliveries @param {{resend: Function}} actions */
export function showDeliveries(deliveries, { resend }) {
  byId("no-deliveries").hidden = deliveries.length > 0;
  fill("deliveries", deliveries, (delivery) => [
    ["Message", head(delivery.text, delivery.event), "head"],
    ["Channel", delivery.channel],
    ["Outcome", outcome(delivery)],
    ["Written", sinceElement(delivery.created_at)],
    ["", buttons(delivery.state === "waiting" ? [] : [["resend", "Send again", () => resend(delivery)]]), "act"],
  ]);
}

function outcome({ state, num_tries: tries, last_error: error }) {
  const times = tries === 1 ? "1 try" : `${count(tries)} tries`;
  if (state === "delivered") return `delivered, ${times}${error && `, ${error}`}`;
  if (state === "given_up") return `given up after ${times}: ${error}`;
  return error ? `${times}: ${error}; tried again` : "on its way";
}
