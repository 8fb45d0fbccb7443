/**
 * SHA-256 of a part of a file. The browser's own is used where it exists: pages that are not from this machine and not
 * over https have none (crypto.subtle is undefined there), and an upload must be checked there too.
 */

/** @param {ArrayBuffer} buffer @returns {Promise<string>} base64 */
export async function sha256Base64(buffer) {
  const digest = crypto.subtle ? new Uint8Array(await crypto.subtle.digest("SHA-256", buffer)) : sha256(new Uint8Array(buffer));
  return btoa(String.fromCharCode(...digest));
}

/** FIPS 180-4. @param {Uint8Array} message @returns {Uint8Array} 32 bytes */
export function sha256(message) {
  const state = Uint32Array.from(ROOTS.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
  const schedule = new Uint32Array(64);
  const tail = padded(message);
  const numWhole = message.length >> 6;
  const whole = new DataView(message.buffer, message.byteOffset, message.byteLength);
  for (let block = 0; block < numWhole; block += 1) compress(state, schedule, whole, block * 64);
  for (let at = 0; at < tail.byteLength; at += 64) compress(state, schedule, tail, at);
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, index) => digest.setUint32(index * 4, word));
  return new Uint8Array(digest.buffer);
}

const ROOTS = primes(64);
const fraction = (root) => ((root - Math.floor(root)) * 2 ** 32) >>> 0;
const CONSTANTS = Uint32Array.from(ROOTS, (prime) => fraction(Math.cbrt(prime)));

function primes(count) {
  const found = [];
  for (let number = 2; found.length < count; number += 1) {
    if (found.every((prime) => number % prime)) found.push(number);
  }
  return found;
}

/** What is left behind the last whole block, a single 1 bit, and the length in bits at the end. */
function padded(message) {
  const rest = message.subarray(message.length & ~63);
  const tail = new Uint8Array(rest.length < 56 ? 64 : 128);
  tail.set(rest);
  tail[rest.length] = 0x80;
  const view = new DataView(tail.buffer);
  view.setBigUint64(tail.length - 8, BigInt(message.length) * 8n);
  return view;
}

const rotated = (word, by) => (word >>> by) | (word << (32 - by));

function compress(state, schedule, view, at) {
  for (let t = 0; t < 16; t += 1) schedule[t] = view.getUint32(at + t * 4);
  for (let t = 16; t < 64; t += 1) {
    const [near, far] = [schedule[t - 15], schedule[t - 2]];
    const small0 = rotated(near, 7) ^ rotated(near, 18) ^ (near >>> 3);
    const small1 = rotated(far, 17) ^ rotated(far, 19) ^ (far >>> 10);
    schedule[t] = small0 + schedule[t - 7] + small1 + schedule[t - 16];
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let t = 0; t < 64; t += 1) {
    const big1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
    const first = (h + big1 + ((e & f) ^ (~e & g)) + CONSTANTS[t] + schedule[t]) | 0;
    const big0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
    const second = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => { state[index] += word; });
}
