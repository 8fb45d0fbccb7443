"""The loss masks of the recipe as the recipe works them out: message by message with transformers, counting tokens.

It is the peer of the measurement and the reference of the tests, so it is kept as plain as its definition, and apart
from `tunedeck.tokens`. Of the recipe's known slips it keeps those that concern other conversations than its own: a
first message of the assistant behind a default system prompt, and `distill_qwen` with more than two messages.
"""

from __future__ import annotations

from typing import Any

Messages = list[dict[str, Any]]
Tools = list[dict[str, Any]] | None
Marked = tuple[list[int], list[int]]

DUMMY = {"role": "user", "content": "FOR CALCULATING LOSS MASK ONLY"}
PROBE = {"role": "user", "content": "FOR TESTING ONLY"}


class RecipeMasks:
    """`tokenizer` is transformers' own. Each method gives token ids and a mask of 0 and 1."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        once, twice = self._ids([PROBE]), self._ids([PROBE, PROBE])
        self._num_opening = 2 * len(once) - len(twice)
        self._num_header = len(self._ids([PROBE], add_generation_prompt=True)) - len(once)

    def mask(self, kind: str, messages: Messages, tools: Tools = None) -> Marked:
        marked: Marked = getattr(self, kind)(messages, tools)
        return marked

    def qwen(self, messages: Messages, tools: Tools = None) -> Marked:
        ids, mask = [], []
        for number, message in enumerate(messages):
            own = self._ids([message], tools=tools if number == 0 else None)
            self._append(message, self._stripped(number, message, own), ids, mask)
        return ids, mask

    def qwen3(self, messages: Messages, tools: Tools = None) -> Marked:
        ids: list[int] = []
        mask: list[int] = []
        dummy = self._ids([DUMMY])
        number = 0
        while number < len(messages):
            stop = number + 1
            while messages[number]["role"] == "tool" and stop < len(messages) and messages[stop]["role"] == "tool":
                stop += 1
            group = messages[number:stop]
            if number == 0:
                own = self._ids([*group, DUMMY], tools=tools)[: -len(dummy)]
            else:
                own = self._stripped(number, group[0], self._ids([DUMMY, *group])[len(dummy) :])
            self._append(group[0], own, ids, mask)
            number = stop
        return ids, mask

    def qwen3_5(self, messages: Messages, tools: Tools = None) -> Marked:
        text = self._tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        assert encoded["input_ids"] == self._ids(messages, tools=tools)
        trained = [False] * len(text)
        cursor = 0
        for message in messages:
            if message["role"] != "assistant":
                continue
            start = text.index("<|im_start|>assistant\n", cursor) + len("<|im_start|>assistant\n")
            cursor = text.index("<|im_end|>", start) + len("<|im_end|>")
            cursor += text[cursor : cursor + 1] == "\n"
            start += len("<think>\n") if text.startswith("<think>\n", start) else 0
            if message.get("step_loss_mask", 1) == 1:
                trained[start:cursor] = [True] * (cursor - start)
        return encoded["input_ids"], [int(any(trained[start:stop])) for start, stop in encoded["offset_mapping"]]

    def distill_qwen(self, messages: Messages, tools: Tools = None) -> Marked:
        prompt = self._ids(messages[:1], tools=tools, add_generation_prompt=True)
        answer = self._tokenizer(messages[-1]["content"], add_special_tokens=False)["input_ids"]
        learned = int(messages[-1].get("step_loss_mask", 1) == 1)
        return prompt + answer, [0] * len(prompt) + [learned] * len(answer)

    def _stripped(self, number: int, message: dict[str, Any], own: list[int]) -> list[int]:
        return own if number == 0 or message["role"] == "system" else own[self._num_opening :]

    def _append(self, message: dict[str, Any], own: list[int], ids: list[int], mask: list[int]) -> None:
        learned = message["role"] == "assistant" and message.get("step_loss_mask", 1) == 1
        ids += own
        mask += [int(learned and position >= self._num_header) for position in range(len(own))]

    def _ids(self, messages: Messages, **arguments: Any) -> list[int]:
        ids: list[int] = self._tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, **arguments)
        return ids
