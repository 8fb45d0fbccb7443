/** The tab of what happened to the job: its transitions, oldest first. */

import { byId, copyOf, setText, showState } from "../dom.js";
import { clock } from "../format.js";

/** @param {any} job JobDetail */
export function showTimeline(job) {
  byId("timeline").replaceChildren(...job.transitions.map((change) => {
    const row = copyOf("timeline-row");
    // Two equal states: nothing but a wish has changed, such as the priority.
    row.classList.toggle("wish", change.from_state === change.to_state);
    const time = row.querySelector("time");
    time.dateTime = new Date(change.at * 1000).toISOString();
    setText(time, clock(change.at));
    showState(row.querySelector(".state"), change.to_state);
    setText(row.querySelector(".why"), change.why);
    setText(row.lastElementChild, change.who);
    return row;
  }));
}
