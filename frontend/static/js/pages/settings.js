/** Settings: where alerts go and when there are any, what became of them, what a GPU-hour costs. */

import { get, post, put, remove } from "../api.js";
import { startDialog } from "../dialog.js";
import { byId, keepTimesFresh, pageData, setText, showFault } from "../dom.js";
import { inOrder } from "../in_order.js";
import { listenToKeys } from "../keyboard.js";
import { email, prices, rule, webhook } from "../settings/alert_forms.js";
import { showChannels, showDeliveries, showRules } from "../settings/alert_lists.js";

const REFRESH_MS = 3000;
const LAST = 20;
let [channels, rules] = ["channels", "rules"].map((name) => pageData()[name].items);

/** Does it, then shows everything as it is now; what failed is said at the top. */
const doing = (act) => async (item) => {
  try {
    await act(item);
    showFault(byId("fault"), null);
    await refresh();
  } catch (error) {
    showFault(byId("fault"), error);
  }
};

const channelActions = {
  test: doing(({ id }) => post(`/alerts/channels/${id}/test`)),
  remove: doing(({ id }) => remove(`/alerts/channels/${id}`)),
};
const ruleActions = {
  toggle: doing(({ id, ...rest }) => put(`/alerts/rules/${id}`, { ...rest, enabled: !rest.enabled })),
  remove: doing(({ id }) => remove(`/alerts/rules/${id}`)),
};
const deliveryActions = { resend: doing(({ id }) => post(`/alerts/deliveries/${id}/resend`)) };

function show() {
  showChannels(channels, channelActions);
  showRules(rules, channels, ruleActions);
}

const askLists = inOrder();
const askDeliveries = inOrder();

async function refresh() {
  const isNewest = askLists();
  const lists = await Promise.all([get("/alerts/channels"), get("/alerts/rules")]);
  if (isNewest()) {
    [channels, rules] = lists.map(({ items }) => items);
    show();
  }
  await refreshDeliveries();
}

let shown = JSON.stringify(pageData().deliveries.items);

/** Drawn anew only when something changed: a button must not lose its focus. */
async function refreshDeliveries() {
  const isNewest = askDeliveries();
  const { items } = await get("/alerts/deliveries", { limit: LAST });
  if (!isNewest() || JSON.stringify(items) === shown) return;
  shown = JSON.stringify(items);
  showDeliveries(items, deliveryActions);
}

async function addChannel(wanted) {
  const made = await post("/alerts/channels", wanted);
  byId("made-key").hidden = !made.secret;
  setText(byId("made-key-text"), made.secret);
  for (const id of ["webhook-secret", "email-password"]) byId(id).value = "";
  await refresh();
}

function offerChannels() {
  byId("rule-channels").replaceChildren(byId("rule-channels").firstElementChild, ...channels.map(({ id, name }) => {
    const [label, box] = [document.createElement("label"), document.createElement("input")];
    label.className = "choice";
    Object.assign(box, { type: "checkbox", value: id });
    label.append(box, ` ${name}`);
    return label;
  }));
  showMetric();
}

const showMetric = () => { byId("rule-metric").hidden = !byId("rule-when").value.startsWith("metric:"); };

async function setPrices(event) {
  event.preventDefault();
  try {
    await put("/prices", prices());
    showFault(byId("prices-fault"), null);
    setText(byId("prices-said"), "Set. What runs have cost so far is worked out anew.");
  } catch (error) {
    showFault(byId("prices-fault"), error);
    setText(byId("prices-said"), "");
  }
}

listenToKeys();
keepTimesFresh();
show();
showDeliveries(pageData().deliveries.items, deliveryActions);
byId("parts").hidden = false;
startDialog("webhook", () => {}, () => addChannel(webhook()));
startDialog("email", () => {}, () => addChannel(email()));
startDialog("rule", offerChannels, async () => {
  await post("/alerts/rules", rule());
  await refresh();
});
byId("rule-when").addEventListener("change", showMetric);
byId("prices").addEventListener("submit", setPrices);
setInterval(() => { if (document.visibilityState === "visible") refreshDeliveries().catch(() => {}); }, REFRESH_MS);
