"""The loss masks that write a conversation as one text: `qwen3_5` and `distill_qwen`."""

from __future__ import annotations

from tunedeck.conversations import Conversation, Message
from tunedeck.tokens.chat_tokenizer import ChatTokenizer
from tunedeck.tokens.rendering import Piece, Rendering, Stretch, TemplateUnfit

_HEADER = "<|im_start|>assistant\n"
_END = "<|im_end|>"
_THINK = "<think>\n"


class AsTheTemplateWrites:
    """`qwen3_5`: the template's own text of the whole conversation. Learned is what follows `<think>\\n`, or the header
    where the template opens no thoughts, up to the end of turn and the newline behind it.

    A token that only reaches into the stretch is learned too, as in the recipe: the two newlines of an empty think
    block are one token, whose second half is the answer's.
    """

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        self._tokenizer = tokenizer

    def __call__(self, conversation: Conversation) -> Rendering:
        text = self._tokenizer.render(conversation.messages, conversation.tools)
        answers = [message for message in conversation.messages if message.role == "assistant"]
        if text.count(_HEADER) != len(answers):
            raise TemplateUnfit(f"it writes {text.count(_HEADER)} headers {_HEADER!r} for {len(answers)} answers")
        stretches, behind = [], 0
        for message in answers:
            start, behind = _stretch(text, behind)
            if message.trained:
                stretches.append(Stretch(start, behind, message.weight))
        return (Piece(text, tuple(stretches), reaching_in=True),)


def _stretch(text: str, cursor: int) -> tuple[int, int]:
    """The next answer behind `cursor`."""
    start = text.index(_HEADER, cursor) + len(_HEADER)
    end = text.find(_END, start)
    if end < 0:
        raise TemplateUnfit(f"it does not end an answer with {_END!r}")
    stop = end + len(_END)
    if text.startswith("\n", stop):
        stop += 1
    if text.startswith(_THINK, start):
        start += len(_THINK)
    return start, stop


class LastMessage:
    """`distill_qwen`: the generation prompt behind everything before the last message, then that message's content as
    it stands. The end of turn is neither written nor learned: the type is for answers that carry their own.

    The recipe makes the prompt of the first message alone, which for anything but one question and one answer loses the
    question; here the prompt is all that came before. A think block that the prompt has opened is not opened twice.
    """

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        self._tokenizer = tokenizer

    def __call__(self, conversation: Conversation) -> Rendering:
        *before, last = conversation.messages
        prompt = self._tokenizer.render(before, conversation.tools, add_generation_prompt=True) if before else ""
        answer = _continued(prompt, last)
        learned = (Stretch(0, len(answer), last.weight),) if last.trained else ()
        return (Piece(prompt), Piece(answer, learned))


def _continued(prompt: str, message: Message) -> str:
    return message.content.removeprefix(_THINK) if prompt.endswith(_THINK) else message.content
