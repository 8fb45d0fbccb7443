/**
 * Tokens as text that can be read: what is trained stands out by colour and line, special tokens are boxed, white space
 * is visible. One token at a time is named with its id: the one under the pointer, or the one the arrow keys are at.
 */

const SPECIAL = /^<[^<>\s]{1,60}>$|^\[[A-Z_]{2,20}\]$/;
const SHOWN_AT_FIRST = 4000;

/** @typedef {{id: number, text: string, trained: boolean, weight?: number, differs: boolean}} Token */

/**
 * @param {HTMLElement} place
 * @param {Token[]} tokens
 * @param {(token: Token | null, index: number) => void} onToken told which token is looked at
 */
export function showTokens(place, tokens, onToken) {
  const text = document.createElement("div");
  text.className = "tokens";
  text.tabIndex = 0;
  text.setAttribute("role", "group");
  text.setAttribute("aria-label", "Tokens; the arrow keys go from one to the next");
  text.append(...tokens.slice(0, SHOWN_AT_FIRST).map(element));
  place.replaceChildren(text);
  if (tokens.length > SHOWN_AT_FIRST) place.append(restButton(text, tokens));
  listen(text, tokens, onToken);
}

/** "tokens" and what of them is trained, in words. @param {Token[]} tokens */
export function trainedShare(tokens) {
  const trained = tokens.filter((token) => token.trained).length;
  return [trained, tokens.length];
}

function element(token, index) {
  const span = document.createElement("span");
  span.className = "token";
  span.dataset.index = String(index);
  if (token.trained) span.classList.add("trained");
  if (token.differs) span.classList.add("differs");
  if (SPECIAL.test(token.text)) span.classList.add("special");
  span.append(visible(token.text));
  return span;
}

/** A line break shows as an arrow and breaks the line. */
function visible(text) {
  if (!text.includes("\n")) return text.replaceAll("\t", "→") || "∅";
  const parts = document.createDocumentFragment();
  text.split("\n").forEach((line, index) => {
    if (index) parts.append("↵", document.createElement("br"));
    parts.append(line);
  });
  return parts;
}

function restButton(text, tokens) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button small";
  button.textContent = `Show all ${tokens.length.toLocaleString("en-US")} tokens`;
  button.addEventListener("click", () => {
    text.append(...tokens.slice(SHOWN_AT_FIRST).map((token, at) => element(token, at + SHOWN_AT_FIRST)));
    button.remove();
  });
  return button;
}

function listen(text, tokens, onToken) {
  let at = -1;
  const choose = (index, scroll) => {
    text.querySelector(".chosen")?.classList.remove("chosen");
    at = Math.min(text.childElementCount - 1, Math.max(0, index));
    const chosen = text.children[at];
    chosen.classList.add("chosen");
    if (scroll) chosen.scrollIntoView({ block: "nearest" });
    onToken(tokens[at], at);
  };
  text.addEventListener("pointerover", (event) => {
    const token = event.target.closest(".token");
    if (token) choose(Number(token.dataset.index), false);
  });
  text.addEventListener("focus", () => { if (at < 0) choose(0, false); });
  text.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(at + step, true);
  });
}
