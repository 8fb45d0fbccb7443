/**
 * A JobSpec as text to copy: JSON, YAML, curl.
 * The YAML writer knows only what a spec holds, nested mappings of scalars: too little for a library.
 */

export const asJson = (spec) => JSON.stringify(spec, null, 2);

export function asYaml(spec, indent = "") {
  return Object.entries(spec).map(([key, value]) => {
    if (value === null || typeof value !== "object") return `${indent}${key}: ${scalar(value)}\n`;
    return Object.keys(value).length ? `${indent}${key}:\n${asYaml(value, `${indent}  `)}` : `${indent}${key}: {}\n`;
  }).join("");
}

function scalar(value) {
  if (typeof value === "number") return yamlNumber(value);
  if (typeof value !== "string") return String(value);
  // A bare word is safe; whatever YAML could read as a number, a boolean, null or a date is quoted.
  const isBareWord = /^[A-Za-z][A-Za-z0-9._-]*$/.test(value) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value);
  return isBareWord ? value : JSON.stringify(value);
}

/** YAML 1.1 readers take `1e-5` for a string: the mantissa needs a point. */
function yamlNumber(value) {
  const text = String(value);
  return /^-?\d+e/.test(text) ? text.replace("e", ".0e") : text;
}

export function asCurl(spec) {
  const body = JSON.stringify(spec, null, 2).replaceAll("'", "'\\''");
  return [
    `curl ${location.origin}/api/v1/jobs \\`,
    `  -H "Authorization: Bearer $TUNEDECK_TOKEN" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d '${body}'`,
  ].join("\n");
}

/** Without null, which means the same as leaving the field out, unless there is a preset: over that it means "not". */
const shortest = (spec) => (spec.preset ? spec : withoutNull(spec));

function withoutNull(spec) {
  const kept = Object.entries(spec).filter(([, value]) => value !== null);
  return Object.fromEntries(kept.map(([key, value]) => [key, typeof value === "object" ? withoutNull(value) : value]));
}

/** The forms for `copyable`. @param {() => object} spec */
export const specForms = (spec) => ({
  JSON: () => asJson(shortest(spec())),
  YAML: () => asYaml(shortest(spec())),
  curl: () => asCurl(shortest(spec())),
});
