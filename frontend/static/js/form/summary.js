/** What a checked spec would train, in a few lines, and what the host would do with it. */

import { count, number, si } from "../format.js";

/** @param {any} resolved ResolvedSpec */
export function summaryOf(resolved) {
  const { model, data, batching, optimizer, parallelism, precision, hardware, checkpointing, evaluation } = resolved;
  const trainRows = data.num_rows - data.num_validation_rows;
  const epochs = trainRows ? (batching.train_iters * batching.global_batch_size) / trainRows : 0;
  return [
    ["Model", `${model.architecture}, ${si(model.num_parameters)} parameters`],
    ["Rows", `${count(trainRows)} to train, ${count(data.num_validation_rows)} held out`],
    ["Steps", `${count(batching.train_iters)} of ${count(batching.global_batch_size)} conversations (${number(epochs)} epochs)`],
    ["Microbatch", `up to ${count(batching.max_tokens_per_gpu)} tokens`],
    ["Learning rate", `${number(optimizer.lr)} to ${number(optimizer.min_lr)}, ${optimizer.lr_decay_style}, ${count(optimizer.lr_warmup_iters)} steps of warm-up`],
    ["Precision", precision.fp8_format === "none" ? precision.params_dtype : `${precision.params_dtype}, FP8 ${precision.fp8_recipe}`],
    ["Devices", `${hardware.num_devices} × ${hardware.device}: data ${hardware.data_parallel_size} × tensor ${parallelism.tensor_model_parallel_size} × pipeline ${parallelism.pipeline_model_parallel_size}`],
    ["Validation", evaluation.eval_interval ? `every ${count(evaluation.eval_interval)} steps` : "first and last step"],
    ["Checkpoints", checkpointing.save_interval ? `every ${count(checkpointing.save_interval)} steps` : "at the end"],
  ];
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
