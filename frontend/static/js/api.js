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

/** @param {string} path @param {unknown} body */
export function put(path, body) {
  return call("PUT", ROOT + path, body);
}

/** @param {string} path @param {Record<string, string>} [query] */
export function remove(path, query = {}) {
  return call("DELETE", address(path, query));
}

/**
 * The answer of a call that may take long: where it is a work instead, what the work answers in the end.
 * @param {any} answer @param {(work: any) => void} [onWork] told of each state
 */
export async function finished(answer, onWork = () => {}) {
  let work = answer;
  while (isWork(work)) {
    onWork(work);
    if (work.state === "succeeded") return work.result;
    if (work.fault) throw new ApiError(work.fault.code, work.fault.message, work.fault.mend, work.fault.problems);
    if (work.state === "cancelled") throw new ApiError("stopped", "It was stopped.", "");
    await new Promise((resolve) => { setTimeout(resolve, 500); });
    work = await seenAgain(work);
  }
  return work;
}

/** A server that is started again goes on with its works: while it does not answer, it is waited for. */
async function seenAgain(work) {
  try {
    return await get(`/works/${work.id}`);
  } catch (error) {
    if (error.code !== "unreachable") throw error;
    return { ...work, isUnheard: true };
  }
}

const isWork = (answer) => "fault" in answer && "unit" in answer;

/** Where every point of these metrics is had as CSV. @param {string} jobId @param {string[]} metrics */
export const tableAddress = (jobId, metrics) => address(`/jobs/${jobId}/metrics.csv`, { name: metrics });

/** Where the whole log is had as a file. @param {string} jobId @param {number} attempt 0: the newest */
export const logAddress = (jobId, attempt) => address(`/jobs/${jobId}/logs.txt`, { attempt });

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

function unreachable() {
  return new ApiError("unreachable", "The server does not answer.", "Check that it runs; what you typed is kept.");
}

export function errorOf(status, text) {
  try {
    const { code, message, mend, problems } = JSON.parse(text).error;
    return new ApiError(code, message, mend, problems ?? []);
  } catch {
    return new ApiError("internal", `The server answered ${status} without a reason.`, "Its log says more.");
  }
}
