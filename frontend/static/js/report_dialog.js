/** The dialog that fetches a report: says how large the file will be before anything is fetched. */

import { ApiError, errorOf } from "./api.js";
import { dialogOf } from "./dialog.js";
import { byId, setText, showFault } from "./dom.js";
import { size } from "./format.js";
import { inOrder } from "./in_order.js";

/** @param {() => string} address of the report, below /api/v1 */
export function startReportDialog(address) {
  const url = () => `/api/v1${address()}`;
  const ask = inOrder();
  const open = dialogOf("report", async () => {
    const link = document.createElement("a");
    link.href = url();
    link.download = "";
    link.click();
  });
  byId("report").addEventListener("click", async () => {
    setText(byId("report-size"), "One HTML file.");
    open();
    const isNewest = ask();
    try {
      const numBytes = await sizeOf(url());
      if (isNewest()) setText(byId("report-size"), `One HTML file of ${size(numBytes)}.`);
    } catch (error) {
      if (isNewest()) showFault(byId("report-fault"), error);
    }
  });
}

/** Bytes. The server makes the report to know it. @param {string} url */
async function sizeOf(url) {
  const response = await fetch(url, { method: "HEAD" }).catch(() => {
    throw new ApiError("unreachable", "The server does not answer.", "Check that it runs.");
  });
  if (!response.ok) throw errorOf(response.status, "");
  return Number(response.headers.get("Content-Length"));
}
