/** Hides the fields whose name, explanation and group say nothing of what is looked for. */

/** @param {HTMLDetailsElement} part what holds the fieldsets */
export function startFinding(part) {
  const search = part.querySelector('input[type="search"]');
  const note = part.querySelector("[aria-live]");
  search.addEventListener("input", (event) => {
    event.stopPropagation();
    note.textContent = describe(showMatching(part, search.value), search.value);
  });
  // Enter in a search would send the form.
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
}

/** Show every field again. @param {HTMLElement} part */
export function showAll(part) {
  part.querySelector('input[type="search"]').value = "";
  part.querySelector("[aria-live]").textContent = "";
  showMatching(part, "");
}

function showMatching(part, text) {
  const words = text.toLowerCase().split(/[\s_.]+/).filter(Boolean);
  let numShown = 0;
  for (const group of part.querySelectorAll("fieldset")) {
    const shown = [...group.querySelectorAll("[data-field]")].filter((holder) => {
      holder.hidden = !matches(holder, group, words);
      return !holder.hidden;
    });
    group.hidden = shown.length === 0;
    numShown += shown.length;
  }
  return numShown;
}

function matches(holder, group, words) {
  const said = `${holder.dataset.field} ${holder.querySelector(".hint")?.textContent} ${group.querySelector("legend").textContent}`;
  return words.every((word) => said.toLowerCase().includes(word));
}

function describe(numShown, text) {
  if (!text.trim()) return "";
  return numShown === 1 ? "One field" : `${numShown || "No"} fields`;
}
