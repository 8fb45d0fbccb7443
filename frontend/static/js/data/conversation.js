/** Rows of a data set as conversations. */

import { count } from "../format.js";

/** @param {any} row RowView @param {string} tokensLink where its tokens are shown */
export function conversationOf(row, tokensLink) {
  const holder = document.createElement("section");
  holder.className = "conversation";
  holder.id = `row-${row.row}`;
  const title = document.createElement("h3");
  title.textContent = `Row ${count(row.row)}`;
  const chat = document.createElement("div");
  chat.className = "chat";
  if (row.is_trained) {
    title.append(link("Tokens", tokensLink));
    if (row.tools.length) chat.append(toolsOf(row.tools));
    chat.append(...row.messages.map(turn));
  } else {
    chat.append(note("Left out of training: the row has a fault, or nothing to learn. Checks says why."));
  }
  holder.append(title, chat);
  return holder;
}

function link(text, address) {
  const anchor = document.createElement("a");
  anchor.className = "small";
  anchor.href = address;
  anchor.textContent = text;
  return anchor;
}

function note(text) {
  const line = document.createElement("p");
  line.className = "muted";
  line.textContent = text;
  return line;
}

function toolsOf(tools) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.className = "small";
  summary.textContent = tools.length === 1 ? "1 tool offered" : `${tools.length} tools offered`;
  const code = document.createElement("pre");
  code.className = "code";
  code.textContent = JSON.stringify(tools, null, 2);
  details.append(summary, code);
  return details;
}

function turn(message) {
  const box = document.createElement("div");
  box.className = "turn";
  box.dataset.role = message.role;
  const name = document.createElement("span");
  name.className = "role";
  name.textContent = [message.role, message.name, learning(message)].filter(Boolean).join(" · ");
  box.append(name);
  if (message.reasoning_content) box.append(aside("thinks", message.reasoning_content));
  box.append(message.content);
  for (const call of message.tool_calls ?? []) {
    const { name: tool, arguments: given } = call.function;
    box.append(aside(`calls ${tool}`, typeof given === "string" ? given : JSON.stringify(given, null, 2)));
  }
  return box;
}

/** `weight` is there only where it is neither 0 nor 1. */
function learning({ trained, weight }) {
  if (!trained) return "";
  return weight === undefined ? "trained" : `trained, weight ${weight}`;
}

function aside(title, text) {
  const box = document.createElement("div");
  box.className = "aside-turn";
  const name = document.createElement("span");
  name.className = "role";
  name.textContent = title;
  const code = document.createElement("code");
  code.textContent = text;
  box.append(name, code);
  return box;
}
