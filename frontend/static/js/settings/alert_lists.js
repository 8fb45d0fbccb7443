/** The lists of the settings page: channels, rules and deliveries, each row with what can be done about it. */

import { byId, sinceElement, tableRow } from "../dom.js";
import { count, duration, number } from "../format.js";

const words = (name) => name.replaceAll("_", " ");

/** @param {string} id @param {HTMLElement[]} rows */
function fill(id, rows) {
  byId(id).replaceChildren(...rows);
  byId(id).closest(".table-frame").hidden = rows.length === 0;
}

/** @param {[string, () => void][]} actions */
function buttons(actions) {
  const place = document.createElement("span");
  place.append(...actions.map(([label, act]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small";
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
  fill("channels", channels.map((channel) => tableRow([
    ["Channel", head(channel.name, channel.kind), "head"],
    ["Where", channel.where],
    ["State", channel.enabled ? "on" : "off"],
    ["", buttons([["Send a test", () => test(channel)], ["Remove", () => remove(channel)]]), "act"],
  ])));
}

/** @param {any[]} rules @param {any[]} channels @param {{toggle: Function, remove: Function}} actions */
export function showRules(rules, channels, { toggle, remove }) {
  const nameOf = (id) => channels.find((channel) => channel.id === id)?.name ?? "a channel that is gone";
  fill("rules", rules.map((rule) => tableRow([
    ["Rule", head(rule.name, ""), "head"],
    ["When", whenText(rule.when)],
    ["Of which runs", scopeText(rule.scope)],
    ["Goes to", rule.channels.map(nameOf).join(", ") || "all channels"],
    ["State", rule.enabled ? "on" : "off"],
    ["", buttons([[rule.enabled ? "Switch off" : "Switch on", () => toggle(rule)], ["Remove", () => remove(rule)]]), "act"],
  ])));
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
  fill("deliveries", deliveries.map((delivery) => tableRow([
    ["Message", head(delivery.text, delivery.event), "head"],
    ["Channel", delivery.channel],
    ["Outcome", outcome(delivery)],
    ["Written", sinceElement(delivery.created_at)],
    ["", buttons(delivery.state === "waiting" ? [] : [["Send again", () => resend(delivery)]]), "act"],
  ])));
}

function outcome({ state, num_tries: tries, last_error: error }) {
  const times = tries === 1 ? "1 try" : `${count(tries)} tries`;
  if (state === "delivered") return `delivered, ${times}`;
  if (state === "given_up") return `given up after ${times}: ${error}`;
  return error ? `${times}: ${error}; tried again` : "on its way";
}
