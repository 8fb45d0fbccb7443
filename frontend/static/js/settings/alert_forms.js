/** What the dialogs of the settings page send. */

import { byId } from "../dom.js";

const value = (id) => byId(id).value.trim();

export const webhook = () => ({
  name: value("webhook-name"),
  to: { kind: "webhook", url: value("webhook-url"), secret: byId("webhook-secret").value },
});

export const email = () => ({
  name: value("email-name"),
  to: {
    kind: "email",
    host: value("email-host"),
    port: Number(value("email-port")),
    security: value("email-security"),
    username: value("email-username"),
    password: byId("email-password").value,
    sender: value("email-sender"),
    recipients: value("email-recipients").split(",").map((one) => one.trim()).filter(Boolean),
  },
});

export const rule = () => ({
  name: value("rule-name"),
  when: when(),
  scope: { name: value("rule-of-name"), tag: value("rule-of-tag"), job: value("rule-of-job") },
  channels: [...document.querySelectorAll("#rule-channels input:checked")].map((box) => box.value),
});

function when() {
  const [kind, what] = value("rule-when").split(":");
  if (kind === "state") return { kind, state: what };
  if (kind === "condition") return { kind, code: what };
  // An empty threshold is no 0: null is refused with a reason.
  const threshold = value("rule-threshold") === "" ? null : Number(value("rule-threshold"));
  const window = { steps: Number(value("rule-steps")), seconds: Number(value("rule-seconds")) };
  return { kind, metric: what, comparison: value("rule-comparison"), threshold, ...window };
}

/** One `KIND = PRICE` a line. */
export const prices = () => ({
  per_gpu_hour: Number(value("per-gpu-hour")),
  currency: value("currency"),
  by_kind: value("by-kind").split("\n").filter((line) => line.trim()).map((line) => {
    const at = line.lastIndexOf("=");
    const price = line.slice(at + 1).trim();
    return { kind: line.slice(0, Math.max(0, at)).trim(), per_gpu_hour: price === "" ? null : Number(price) };
  }),
});
