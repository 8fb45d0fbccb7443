/** What a checked spec would train, in a few lines, and what the host would do with it. */

import { count, number, si } from "../format.js";

/** @param {any} resolved ResolvedSpec */
export function summaryOf(resolved) {
  const { model, data, batching, checkpointing, evaluation } = resolved;
  return [
    ["Model", `${model.architecture}, ${si(model.num_parameters)} parameters`],
    ["Rows", `${count(trainedRows(data))} to train, ${count(data.num_validation_rows)} held out`],
    ["Steps", stepsText(batching, data)],
    ["Microbatch", `up to ${count(batching.max_tokens_per_gpu)} tokens`],
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

function rateText({ lr, min_lr, lr_decay_style, lr_warmup_iters }) {
  return `${number(lr)} to ${number(min_lr)}, ${lr_decay_style}, ${count(lr_warmup_iters)} steps of warm-up`;
}

function precisionText({ params_dtype, fp8_format, fp8_recipe }) {
  return fp8_format === "none" ? params_dtype : `${params_dtype}, FP8 ${fp8_recipe}`;
}

function devicesText({ num_devices, device, data_parallel_size }, parallelism) {
  const { tensor_model_parallel_size: tensor, pipeline_model_parallel_size: pipeline } = parallelism;
  return `${num_devices} × ${device}: data ${data_parallel_size} × tensor ${tensor} × pipeline ${pipeline}`;
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
