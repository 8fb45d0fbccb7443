/** A text that can be seen in several forms and copied. */

const COPIED = "Copied";
const SAID_FOR_MS = 1500;

/**
 * @param {HTMLElement} buttons where the buttons go
 * @param {HTMLElement} place where the text is shown
 * @param {Record<string, () => string>} forms name of a form to its text
 * @returns {() => void} show the text again, after what it comes from has changed
 */
export function copyable(buttons, place, forms) {
  let chosen = Object.keys(forms)[0];
  const show = () => {
    place.textContent = forms[chosen]();
    for (const [name, button] of choices) button.setAttribute("aria-pressed", String(name === chosen));
  };
  const choices = Object.keys(forms).map((name) => [name, smallButton(name, () => { chosen = name; show(); })]);
  const copy = smallButton("Copy", () => copyText(place.textContent, copy));
  buttons.replaceChildren(...choices.map(([, button]) => button), copy);
  show();
  return show;
}

/** Copy `text`, and say so for a moment where the button has its label. @param {Element} label */
export async function copyText(text, label) {
  await navigator.clipboard.writeText(text);
  const before = label.textContent;
  if (before === COPIED) return;
  label.textContent = COPIED;
  setTimeout(() => { label.textContent = before; }, SAID_FOR_MS);
}

function smallButton(text, onClick) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button small";
  button.textContent = text;
  button.addEventListener("click", onClick);
  return button;
}
