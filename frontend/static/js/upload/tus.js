/**
 * A file on its way to the server over tus 1.0: in parts, each with its SHA-256, going on where it broke off. The page
 * holds one part in memory; what the server has said to have is never sent again, also not after a reload.
 */

import { ApiError, errorOf, get } from "../api.js";
import { sha256Base64 } from "./sha256.js";

const UPLOADS = "/api/v1/uploads";
const PART_BYTES = 8 * 2 ** 20;
const LONGEST_PAUSE_MS = 10_000;
const TUS = { "Tus-Resumable": "1.0.0" };

/**
 * @typedef {object} Hooks
 * @property {(sent: number, total: number) => void} onSent
 * @property {(waiting: boolean) => void} onWaiting the connection is gone, and tried again / is back
 * @property {AbortSignal} signal
 */

/** @param {File} file @param {Hooks} hooks @returns {Promise<string>} the id of the complete upload */
export async function sendFile(file, hooks) {
  const known = (await get("/uploads")).items.find((upload) => isOf(upload, file));
  const id = known ? known.id : await create(file, hooks.signal);
  let offset = known ? known.offset : 0;
  hooks.onSent(offset, file.size);
  while (offset < file.size) offset = await sendPart(id, file, offset, hooks);
  return id;
}

/** Whether an unfinished upload is of this file, as far as a browser may know. */
export function isOf(upload, file) {
  return upload.file_name === file.name && upload.num_bytes === file.size && upload.last_modified_ms === file.lastModified;
}

export async function discard(id) {
  const response = await fetch(`${UPLOADS}/${id}`, { method: "DELETE", headers: TUS });
  if (!response.ok && response.status !== 404) throw errorOf(response.status, await response.text());
}

async function create(file, signal) {
  const metadata = `filename ${base64(file.name)},lastmodified ${base64(String(file.lastModified))}`;
  const headers = { ...TUS, "Upload-Length": String(file.size), "Upload-Metadata": metadata };
  const response = await fetch(UPLOADS, { method: "POST", headers, signal });
  if (!response.ok) throw errorOf(response.status, await response.text());
  return response.headers.get("Location").split("/").at(-1);
}

/** Until it is there: a connection that is gone is waited for, as long as nobody stops it. */
async function sendPart(id, file, offset, hooks) {
  for (let pause = 500; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      const part = await file.slice(offset, offset + PART_BYTES).arrayBuffer();
      const reached = await patch(id, part, offset, file.size, hooks);
      hooks.onWaiting(false);
      return reached;
    } catch (error) {
      if (hooks.signal.aborted) throw stopped();
      if (error.name === "NotReadableError") throw changedFile(file);
      if (!isPassing(error)) throw error;
    }
    hooks.onWaiting(true);
    await new Promise((resolve) => { setTimeout(resolve, pause); });
    if (hooks.signal.aborted) throw stopped();
    offset = (await reachedOffset(id)) ?? offset;
    hooks.onSent(offset, file.size);
  }
}

/** XMLHttpRequest, because fetch cannot say how much of a body has been sent. */
async function patch(id, part, offset, total, { onSent, signal }) {
  const checksum = await sha256Base64(part);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    signal.addEventListener("abort", abort, { once: true });
    request.upload.addEventListener("progress", (event) => onSent(offset + event.loaded, total));
    request.addEventListener("loadend", () => signal.removeEventListener("abort", abort));
    request.addEventListener("load", () => {
      if (request.status === 204) resolve(Number(request.getResponseHeader("Upload-Offset")));
      else reject(errorOf(request.status, request.responseText));
    });
    for (const event of ["error", "abort", "timeout"]) request.addEventListener(event, () => reject(broken()));
    request.open("PATCH", `${UPLOADS}/${id}`);
    const headers = {
      ...TUS,
      "Content-Type": "application/offset+octet-stream",
      "Upload-Offset": String(offset),
      "Upload-Checksum": `sha256 ${checksum}`,
    };
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(part);
  });
}

/** Where the server has got to; null while it does not answer. Throws when the upload is gone. */
async function reachedOffset(id) {
  let response;
  try {
    response = await fetch(`${UPLOADS}/${id}`, { method: "HEAD", headers: TUS });
  } catch {
    return null;
  }
  if (response.status === 404) throw new ApiError("not_found", "The server has given this upload up.", "Begin again.");
  return response.ok ? Number(response.headers.get("Upload-Offset")) : null;
}

const PASSING = ["unreachable", "conflict", "checksum_mismatch", "unavailable", "internal"];
const isPassing = (error) => error instanceof ApiError && PASSING.includes(error.code);
const broken = () => new ApiError("unreachable", "The connection broke.", "");
const stopped = () => new ApiError("stopped", "The upload is stopped.", "Choose the same file to go on with it.");
const changedFile = (file) => new ApiError("file_changed", `${file.name} has changed since it was chosen.`, "Choose it again.");
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
