"""The tokenizer of a model folder together with its own chat template; knows nothing of losses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from tokenizers import Encoding, Tokenizer

from tunedeck.conversations import Message
from tunedeck.errors import ModelInvalid
from tunedeck.tokens.chat_template import DEFAULT, ChatTemplate
from tunedeck.tokens.tokenizer_folder import TokenizerFolder, read_tokenizer
from tunedeck.tokens.word_table import WordTable


class ChatTokenizer:
    """Renders conversations and turns text into tokens."""

    def __init__(self, folder: TokenizerFolder, template: ChatTemplate) -> None:
        self._tokenizer: Tokenizer = folder.tokenizer
        self._special_tokens = folder.special_tokens
        self._template = template

    @classmethod
    def load(cls, path: Path) -> ChatTokenizer:
        """Read a model folder. Raises ModelInvalid where it has no tokenizer.json or no chat template that is Jinja."""
        folder = read_tokenizer(path)
        if DEFAULT not in folder.templates:
            raise ModelInvalid.at(
                "model",
                str(path),
                f"the tokenizer of {path} has no chat template",
                "put the template of the model's chat variant into chat_template.jinja beside tokenizer.json",
            )
        try:
            return cls(folder, ChatTemplate(folder.templates, folder.special_tokens))
        except TemplateError as error:
            what = f"the chat template of {path} is not valid Jinja: {error}"
            raise ModelInvalid.at("model", str(path), what, "fetch the tokenizer's files again") from error

    @cached_property
    def word_table(self) -> WordTable | None:
        """The quick way to tokens, made when it is first asked for; None for a tokenizer that has none."""
        return WordTable.of(self._tokenizer)

    @property
    def pad_id(self) -> int:
        """A token for padding, which is never learned and never attended to; 0 where the tokenizer names none."""
        pad = self._special_tokens.get("pad_token")
        return (self._tokenizer.token_to_id(pad) if pad else None) or 0

    def has_token(self, text: str) -> bool:
        return self._tokenizer.token_to_id(text) is not None

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, special ones included; what is only a piece of a character is U+FFFD."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=False)

    def render(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] = (), *, add_generation_prompt: bool = False
    ) -> str:
        """The text of a conversation as the template writes it. Raises jinja2.TemplateError where it refuses."""
        return self._template.render(messages, tools, add_generation_prompt=add_generation_prompt)

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Tokens of each text, without special tokens of the tokenizer's own: the template has written them."""
        return self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
