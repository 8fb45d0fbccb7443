/** How grave a line is, by its words. `tunedeck/log_lines.py` says the same in Python; a browser test compares both. */

const ERROR = new RegExp(
  String.raw`\b(?:\w*Error|\w*Exception|error|ERROR|exception|[Tt]raceback|[Cc]ritical|CRITICAL`
    + String.raw`|[Ff]atal|FATAL|[Ff]ail(?:ed|ure)|FAILED|[Kk]illed|[Aa]borted|[Oo]ut of memory)\b`,
);
const WARNING = /\b(?:\w*Warning|[Ww]arn(?:ing)?|WARN(?:ING)?|[Dd]eprecated)\b/;

/** @param {string} text @returns {"error" | "warning" | "info"} */
export function levelOf(text) {
  if (ERROR.test(text)) return "error";
  return WARNING.test(text) ? "warning" : "info";
}
