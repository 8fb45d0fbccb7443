/** Tabs as the ARIA pattern wants them: arrows move, one is in the tab order, the choice stands in the URL's hash. */

/**
 * @param {HTMLElement} list the element of role tablist
 * @param {Record<string, () => void>} onShow called each time a tab is shown, by name
 */
export function startTabs(list, onShow) {
  const tabs = [...list.querySelectorAll('[role="tab"]')];
  const nameOf = (tab) => tab.id.replace("tab-", "");

  const show = (chosen) => {
    for (const tab of tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
    }
    // On a narrow screen the row of tabs scrolls sideways.
    chosen.scrollIntoView({ inline: "nearest", block: "nearest" });
    onShow[nameOf(chosen)]?.();
  };

  const choose = (tab) => {
    history.replaceState(null, "", `${location.pathname}${location.search}#${nameOf(tab)}`);
    show(tab);
  };

  const fromHash = () => {
    const name = location.hash.startsWith("#chart-") ? "charts" : location.hash.slice(1);
    show(tabs.find((tab) => nameOf(tab) === name) ?? tabs[0]);
    if (name === "charts") document.querySelector(":target")?.scrollIntoView({ block: "nearest" });
  };

  list.addEventListener("click", (event) => {
    const tab = event.target.closest('[role="tab"]');
    if (tab) choose(tab);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
    next.focus();
    choose(next);
  });
  window.addEventListener("hashchange", fromHash);
  fromHash();
}
