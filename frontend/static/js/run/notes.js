/**
 * The notes of a run: shown as the HTML that the server made safe, edited as Markdown. What is typed is never lost: not
 * by a refusal, and not by somebody else's change, which the server refuses to overwrite.
 */

import { get, put } from "../api.js";
import { byId, setText, showFault } from "../dom.js";
import { clock } from "../format.js";

export class Notes {
  #view;
  #isEditing = false;

  /** @param {string} jobId @param {any} view NotesView, which the page shows already */
  constructor(jobId, view) {
    this.address = `/jobs/${jobId}/notes`;
    this.#view = view;
    byId("edit-notes").addEventListener("click", () => this.#edit());
    byId("leave-notes").addEventListener("click", () => this.#close());
    byId("notes-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    this.#show();
  }

  /** Somebody may have changed them. Without an answer those that are shown stay. */
  async refresh() {
    const view = await get(this.address).catch(() => null);
    // While something is typed here, it goes on from what was read: saving tells of the clash. What was saved since it
    // was asked is newer than the answer.
    if (!view || this.#isEditing || view.version < this.#view.version) return;
    this.#view = view;
    this.#show();
  }

  #show() {
    const { html, markdown, edited_at: at, edited_by: by } = this.#view;
    // Cleaned by the server: backend/notes/markdown.py.
    byId("notes-html").innerHTML = html;
    byId("no-notes").hidden = Boolean(markdown);
    setText(byId("notes-by"), at ? `changed by ${by}, ${clock(at)}` : "");
  }

  #edit() {
    this.#isEditing = true;
    byId("notes-text").value = this.#view.markdown;
    byId("notes-form").hidden = false;
    byId("notes-shown").hidden = true;
    byId("notes-text").focus();
  }

  #close() {
    this.#isEditing = false;
    byId("notes-form").hidden = true;
    byId("notes-shown").hidden = false;
    showFault(byId("notes-fault"), null);
    byId("edit-notes").focus();
    this.refresh();
  }

  async #save() {
    try {
      this.#view = await put(this.address, { markdown: byId("notes-text").value, version: this.#view.version });
      this.#show();
      this.#close();
    } catch (error) {
      showFault(byId("notes-fault"), error);
      if (error.code === "conflict") await this.#showTheirs();
    }
  }

  /** Below what is typed stands what somebody else has written; saving again takes its place. */
  async #showTheirs() {
    const view = await get(this.address).catch(() => null);
    if (!view) return;
    this.#view = view;
    this.#show();
    byId("notes-shown").hidden = false;
  }
}
