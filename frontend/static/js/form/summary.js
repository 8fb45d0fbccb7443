/** What a checked spec would train, in a few lines, and what the host would do with it. */

import { count, number, si } from "../format.js";

/** @param {any} resolved ResolvedSpec */
export function summaryOf(resolved) {
  const { model, data, batching, checkpointing, evaluation } = resolved;
  return [
    ["Model", `${model.architecture}, ${si(model.num_parameters)} parameters`],
    ["Rows", `${count(trainedRows(data))} to train, ${count(data.num_validation_rows)} held out`],
    ["Steps", stepsText(batching, data)],
    ["Microbatch", microbatchText(batching)],
    ["Learning rate", rateText(resolved.optimizer)],
    ["Precision", precisionText(resolved.precision)],
    ["Devices", devicesText(resolved.hardware, resolved.parallelism)],
    ["Validation", evaluation.eval_interval ? `every ${count(evaluation.eval_interval)} steps` : "first and last step"],
    ["Checkpoints", checkpointing.save_interval ? `every ${count(checkpointing.save_interval)} steps` : "at the end"],
  ];
}

const trainedRows = (data) => data.num_rows - data.num_validation_rows;

function stepsText({ train_iters, global_batch_size }, data) {
  const epochs = trainedRows(data) ? (train_iters * global_batch_size) / trainedRows(data) : 0;
  return `${count(train_iters)} of ${count(global_batch_size)} conversations (${number(epochs)} epochs)`;
}

function microbatchText({ use_dynamic_batch_size, max_tokens_per_gpu, micro_batch_size }) {
  if (use_dynamic_batch_size) return `up to ${count(max_tokens_per_gpu)} tokens`;
  return `${count(micro_batch_size)} ${micro_batch_size === 1 ? "conversation" : "conversations"}`;
}

function rateText({ lr, min_lr, lr_decay_style, lr_warmup_iters }) {
  return `${number(lr)} to ${number(min_lr)}, ${lr_decay_style}, ${count(lr_warmup_iters)} steps of warm-up`;
}

function precisionText({ params_dtype, fp8_format, fp8_recipe, fp8_param_gather }) {
  if (fp8_format === "none") return params_dtype;
  return `${params_dtype}, FP8 ${fp8_format} ${fp8_recipe}${fp8_param_gather ? ", weights in FP8" : ""}`;
}

/** Every way of sharing that parts something; data and tensor also where they part nothing. */
function devicesText({ num_devices, device, data_parallel_size }, parallelism) {
  const parts = [
    ["data", data_parallel_size, true],
    ["tensor", parallelism.tensor_model_parallel_size, true],
    ["pipeline", parallelism.pipeline_model_parallel_size, false],
    ["context", parallelism.context_parallel_size, false],
  ];
  const shown = parts.filter(([, size, always]) => always || size > 1).map(([name, size]) => `${name} ${size}`);
  return `${num_devices} × ${device}: ${shown.join(" × ")}`;
}

/** @param {HTMLElement} list a dl @param {[string, string][]} lines */
export function showSummary(list, lines) {
  list.replaceChildren(...lines.flatMap(([name, value]) => {
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  }));
}
