/** The dialog of a report: has it made when it opens, says how large it is, and hands over that very file. */

import { ApiError, errorOf } from "./api.js";
import { dialogOf } from "./dialog.js";
import { byId, setText, showFault } from "./dom.js";
import { size } from "./format.js";
import { inOrder } from "./in_order.js";

/** A browser may ask where to save a file before it reads it. */
const SAVED_WITHIN_MS = 600_000;

/**
 * @param {() => string} address of the report, below /api/v1
 * @param {string} name of the file
 */
export function startReportDialog(address, name) {
  const ask = inOrder();
  /** @type {Promise<Blob>} */ let report;
  const open = dialogOf("report", async () => save(await report, name));
  byId("report").addEventListener("click", async () => {
    setText(byId("report-size"), "One HTML file.");
    open();
    const isNewest = ask();
    report = made(`/api/v1${address()}`);
    try {
      const { size: numBytes } = await report;
      if (isNewest()) setText(byId("report-size"), `One HTML file of ${size(numBytes)}.`);
    } catch (error) {
      if (isNewest()) showFault(byId("report-fault"), error);
    }
  });
}

/** Raises ApiError. @param {string} url */
async function made(url) {
  const unreachable = () => {
    throw new ApiError("unreachable", "The server does not answer.", "Check that it runs.");
  };
  const response = await fetch(url).catch(unreachable);
  if (!response.ok) throw errorOf(response.status, await response.text());
  return response.blob().catch(unreachable);
}

/** @param {Blob} report @param {string} name */
function save(report, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(report);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), SAVED_WITHIN_MS);
}
