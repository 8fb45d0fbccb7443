/** A text that can be seen in several forms and copied. */

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
  const copy = smallButton("Copy", async () => {
    await navigator.clipboard.writeText(place.textContent);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  buttons.replaceChildren(...choices.map(([, button]) => button), copy);
  show();
  return show;
}

function smallButton(text, onClick) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button small";
  button.textContent = text;
  button.addEventListener("click", onClick);
  return button;
}
