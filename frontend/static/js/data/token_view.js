/** The token view of one row: what is trained, beside what the model's chat template would have written. */

import { get } from "../api.js";
import { count } from "../format.js";
import { showTokens, trainedShare } from "./token_text.js";

/**
 * @param {HTMLElement} place an element of the macro `token_view`
 * @returns {(asked: {dataset: string, version?: number, row: number, model: string, mask: string}) => Promise<void>} only the newest answer is shown, and only its fault thrown
 */
export function startTokenView(place) {
  const part = (name) => place.querySelector(`[data-part="${name}"]`);
  let newest = 0;

  const show = ({ row, sample, equals_template: isSame }) => {
    const [trained, total] = trainedShare(sample.tokens);
    part("count").textContent = `Row ${count(row)}: ${count(trained)} of ${count(total)} tokens are trained`;
    part("verdict").className = `verdict ${isSame ? "good" : "wait"}`;
    part("verdict").textContent = isSame ? "Exactly as the model's chat template writes it" : difference(sample);
    part("detail").textContent = "Point at a token, or walk with the arrow keys, to see its id.";
    const name = (token, index) => { part("detail").textContent = described(token, index); };
    showTokens(part("tokens"), sample.tokens, name);
    part("template").hidden = isSame || Boolean(sample.template_fault);
    if (!isSame) showTokens(part("template-tokens"), sample.template_tokens, name);
  };

  return async ({ dataset, version, row, model, mask }) => {
    newest += 1;
    const mine = newest;
    place.setAttribute("aria-busy", "true");
    try {
      const query = { row, model, loss_mask_type: mask, version };
      const answer = await get(`/datasets/${encodeURIComponent(dataset)}/tokens`, query);
      if (mine === newest) show(answer);
    } catch (error) {
      if (mine === newest) throw error;
    } finally {
      if (mine === newest) place.removeAttribute("aria-busy");
    }
  };
}

function difference(sample) {
  if (sample.template_fault) return `The template refuses the conversation as a whole: ${sample.template_fault}`;
  const added = sample.tokens.filter((token) => token.differs).length;
  const missing = sample.template_tokens.filter((token) => token.differs).length;
  return `The template writes it in another way: ${count(added)} tokens only here, ${count(missing)} only there`;
}

function described(token, index) {
  const weight = token.weight === undefined ? "" : `, weight ${token.weight}`;
  const state = token.trained ? `trained${weight}` : "not trained";
  const other = token.differs ? ", not in the other writing" : "";
  return `#${count(index)}  id ${token.id}  ${JSON.stringify(token.text)}  ${state}${other}`;
}
