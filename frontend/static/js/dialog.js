/** A dialog that asks before something is done, as the macro `dialog` of _parts.html writes it. */

import { byId, showFault } from "./dom.js";

/**
 * One that a button `[data-action=NAME]` opens.
 * @param {string} name @param {() => void} onOpen @param {() => Promise<void>} send
 */
export function startDialog(name, onOpen, send) {
  const open = dialogOf(name, send);
  document.querySelector(`[data-action="${name}"]`).addEventListener("click", () => {
    onOpen();
    open();
  });
}

/**
 * One that opens by what this returns. It closes when `send` has ended, and stays open with the reason when it failed.
 * @param {string} name @param {() => Promise<void>} send
 */
export function dialogOf(name, send) {
  const dialog = byId(`${name}-dialog`);
  const now = byId(`${name}-now`);
  const fault = byId(`${name}-fault`);
  dialog.querySelector("[data-leave]").addEventListener("click", () => dialog.close());
  dialog.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    now.disabled = true;
    try {
      await send();
      dialog.close();
    } catch (error) {
      showFault(fault, error);
    } finally {
      now.disabled = false;
    }
  });
  return () => {
    showFault(fault, null);
    dialog.showModal();
  };
}
