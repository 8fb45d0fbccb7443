/** Calls of the REST interface. Every failure is an ApiError that carries what the page must show: message and mend. */

const ROOT = "/api/v1";

/** @typedef {{field: string, value: unknown, message: string, mend: string}} Problem */

export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {string} mend
   * @param {Problem[]} problems
   */
  constructor(code, message, mend = "", problems = []) {
    super(message);
    this.code = code;
    this.mend = mend;
    this.problems = problems;
  }
}

/** @param {string} path @param {Record<string, string | number | string[] | undefined>} [query] */
export function get(path, query = {}) {
  return call("GET", address(path, query));
}

/** @param {string} path @param {unknown} [body] @param {AbortSignal} [signal] */
export function post(path, body, signal) {
  return call("POST", ROOT + path, body, signal);
}

/**
 * Send a form with a file. XMLHttpRequest, because fetch cannot say how much of a body has been sent.
 * @param {string} path
 * @param {FormData} form
 * @param {(sent: number, total: number) => void} onProgress
 * @returns {{done: Promise<any>, abort: () => void}}
 */
export function upload(path, form, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded, event.total));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(errorOf(request.status, request.responseText));
    });
    request.addEventListener("error", () => reject(unreachable()));
    request.addEventListener("abort", () => reject(stopped()));
    request.open("POST", ROOT + path);
    request.send(form);
  });
  return { done, abort: () => request.abort() };
}

function address(path, query) {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) params.append(key, String(one));
  }
  const text = params.toString();
  return ROOT + path + (text ? `?${text}` : "");
}

async function call(method, url, body, signal) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const payload = body === undefined ? undefined : JSON.stringify(body);
  let response;
  try {
    response = await fetch(url, { method, headers, body: payload, signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable();
  }
  const text = await response.text();
  if (!response.ok) throw errorOf(response.status, text);
  return JSON.parse(text);
}

function stopped() {
  return new ApiError("stopped", "The upload was stopped.", "Nothing of it was kept.");
}

function unreachable() {
  return new ApiError("unreachable", "The server does not answer.", "Check that it runs; what you typed is kept.");
}

function errorOf(status, text) {
  try {
    const { code, message, mend, problems } = JSON.parse(text).error;
    return new ApiError(code, message, mend, problems ?? []);
  } catch {
    return new ApiError("internal", `The server answered ${status} without a reason.`, "Its log says more.");
  }
}
