/** How numbers read. `frontend/filters.py` says the same in Python; a browser test feeds both the same values. */

export const UNKNOWN = "–";
const SI_PREFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
// Made once: `toLocaleString` looks its rules up at each call, and a table has hundreds of numbers.
const WHOLE = new Intl.NumberFormat("en-US");
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

const isKnown = (value) => typeof value === "number" && Number.isFinite(value);

/** Four significant digits: `0.8420`, `1,234`, `1.2e-5`. */
export function number(value) {
  if (!isKnown(value)) return UNKNOWN;
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  if (magnitude < 1e-3 || magnitude >= 1e9) return exponential(value);
  if (magnitude >= 999.95) return count(value);
  return value.toPrecision(4);
}

function exponential(value) {
  const [mantissa, exponent] = value.toExponential(2).split("e");
  return `${mantissa.replace(/\.?0+$/, "")}e${Number(exponent)}`;
}

/** A whole number with thousands separators: `18,420`. */
export function count(value) {
  return isKnown(value) ? WHOLE.format(Math.floor(value + 0.5)) : UNKNOWN;
}

/** Three significant digits and an SI prefix: `18.4k`. */
export function si(value) {
  if (!isKnown(value)) return UNKNOWN;
  for (const [factor, prefix] of SI_PREFIXES) {
    if (Math.abs(value) >= factor) return threeDigits(value / factor) + prefix;
  }
  return Number.isInteger(value) ? count(value) : threeDigits(value);
}

function threeDigits(value) {
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  return value.toFixed(magnitude >= 99.95 ? 0 : magnitude >= 9.995 ? 1 : 2);
}

/** Bytes in binary units: `71.2 GiB`. */
export function size(numBytes) {
  if (!isKnown(numBytes)) return UNKNOWN;
  let [value, unit] = [numBytes, 0];
  while (Math.abs(value) >= 1024 && unit < BYTE_UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit ? threeDigits(value) : count(value)} ${BYTE_UNITS[unit]}`;
}

/** The two largest units: `2d 3h`, `1h 12m`, `3m 20s`, `45s`. */
export function duration(seconds) {
  if (!isKnown(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds + 0.5));
  const pad = (value) => String(value).padStart(2, "0");
  const [days, hours, minutes] = [whole / 86400, (whole / 3600) % 24, (whole / 60) % 60].map(Math.floor);
  if (days) return `${days}d ${hours}h`;
  if (hours) return `${hours}h ${pad(minutes)}m`;
  if (minutes) return `${minutes}m ${pad(whole % 60)}s`;
  return `${whole}s`;
}

/** A short time with its unit: `320 ms`, `1.24 s`. */
export function seconds(value) {
  if (!isKnown(value)) return UNKNOWN;
  return Math.abs(value) < 0.9995 ? `${threeDigits(value * 1000)} ms` : `${threeDigits(value)} s`;
}

/** Hours of devices, as a bill has them: `< 0.01`, `0.25`, `12.4`, `1,234`. Nothing held yet is 0. */
export function hours(value) {
  if (!isKnown(value)) return UNKNOWN;
  if (value > 0 && value < 0.01) return "< 0.01";
  return value >= 99.95 ? count(value) : threeDigits(value);
}

/** An amount to the hundredth, the currency aside: `< 0.01`, `3.20`, `1,234.50`. */
export function money(value) {
  if (!isKnown(value)) return UNKNOWN;
  if (value > 0 && value < 0.01) return "< 0.01";
  const rounded = Math.floor(100 * value + 0.5) / 100;
  return rounded.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

/** `done / total` between 0 and 1; 0 where the total is not known. */
export function share(done, total) {
  return done && total ? Math.min(1, Math.max(0, done / total)) : 0;
}

/** Whole percent, rounded down: 100% means that all is done. */
export function percent(done, total) {
  return `${Math.floor(100 * share(done, total))}%`;
}

export function ago(unixSeconds) {
  return unixSeconds ? `${duration(Date.now() / 1000 - unixSeconds)} ago` : UNKNOWN;
}

export const offsetS = (unixSeconds) => new Date(unixSeconds * 1000).getTimezoneOffset() * 60;

/** The moment, in milliseconds, that shown as UTC reads as the reader's own clock. */
export const localMs = (unixSeconds) => (unixSeconds - offsetS(unixSeconds)) * 1000;

/** Date and time in the reader's own time zone. */
export function clock(unixSeconds) {
  if (!unixSeconds) return UNKNOWN;
  return new Date(localMs(unixSeconds)).toISOString().slice(0, 19).replace("T", " ");
}

/** The time of day alone, for what is minutes away. */
export const time = (unixSeconds) => clock(unixSeconds).slice(11);

/** Where a run stood when it failed: `· step 43 · optimizer · rank 1 · 71.2 GiB of 79.1 GiB in use, at most …`. */
export function scene(stood) {
  const parts = [
    stood.step ? `step ${count(stood.step)}` : "",
    stood.doing,
    isKnown(stood.rank) ? `rank ${stood.rank}` : "",
    isKnown(stood.memory_bytes) ? memory(stood) : "",
  ];
  return parts.filter(Boolean).map((part) => `· ${part}`).join(" ");
}

function memory(stood) {
  const total = isKnown(stood.total_memory_bytes) ? ` of ${size(stood.total_memory_bytes)}` : "";
  const most = isKnown(stood.peak_memory_bytes) ? `, at most ${size(stood.peak_memory_bytes)}` : "";
  return `${size(stood.memory_bytes)}${total} in use${most}`;
}

/** The functions by name, so that markup and tests can ask for one. */
export const FORMATS = { number, count, si, size, duration, seconds, hours, money, percent, share, scene };
