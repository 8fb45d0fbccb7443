/** A dialog behind a button `[data-action=NAME]`: `#NAME-dialog` with `#NAME-now`, which sends, and `#NAME-fault`. */

import { byId, showFault } from "../dom.js";

/** @param {string} name @param {() => void} onOpen @param {() => Promise<void>} send */
export function startDialog(name, onOpen, send) {
  const dialog = byId(`${name}-dialog`);
  const now = byId(`${name}-now`);
  document.querySelector(`[data-action="${name}"]`).addEventListener("click", () => {
    showFault(byId(`${name}-fault`), null);
    onOpen();
    dialog.showModal();
  });
  now.addEventListener("click", async () => {
    now.disabled = true;
    try {
      await send();
      dialog.close();
    } catch (error) {
      showFault(byId(`${name}-fault`), error);
    } finally {
      now.disabled = false;
    }
  });
}
