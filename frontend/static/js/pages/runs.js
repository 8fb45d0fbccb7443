/** The list of runs: rows come, change and go as their jobs speak; filter and search stand in the URL. */

import { byId, keepTimesFresh, pageData, setText, showFault } from "../dom.js";
import { listenToKeys } from "../keyboard.js";
import { showBulk, startBulk } from "../runs/bulk.js";
import { Filters } from "../runs/filters.js";
import { RunList } from "../runs/run_list.js";
import { startSavedViews } from "../saved_views.js";
import { liveDots, Stream } from "../stream.js";

const { jobs, groups, fault } = pageData();
const filters = new Filters(groups, () => list.load({ keepsLength: false }));
const list = new RunList(filters, jobs, {
  onChange: show,
  onFault: (error) => {
    showFault(byId("list-fault"), error);
    byId("search").setAttribute("aria-invalid", String(error?.problems?.[0]?.field === "q"));
  },
});

function show() {
  showBulk(list.jobOf);
  const states = list.jobs.map(({ state }) => state);
  const parts = ["running", "queued"].map((name) => {
    const number = states.filter((state) => (name === "queued" ? state === name : groups[name].includes(state))).length;
    return number ? `${number} ${name}` : "";
  });
  setText(byId("running-count"), parts.filter(Boolean).join(" · "));
  byId("runs-frame").hidden = list.size === 0;
  byId("no-runs").hidden = list.size > 0 || filters.isNarrow;
  byId("no-match").hidden = list.size > 0 || !filters.isNarrow;
  byId("older").hidden = !list.hasOlder;
}

listenToKeys();
keepTimesFresh();
startBulk(list.jobOf);
startSavedViews("runs");
byId("older").addEventListener("click", () => list.loadOlder());
byId("runs").addEventListener("click", ({ target }) => {
  if (target.matches(".tag")) filters.search(`tag=${target.textContent}`);
});
if (fault) list.onFault(fault);
show();
const stream = new Stream([], liveDots());
list.follow(stream);
stream.open();
