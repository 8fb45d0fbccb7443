"""The tokenizer of a model folder together with its own chat template.

The template is rendered by transformers itself, so that training and inference can never disagree on a template's
details. Only tokenizers with a tokenizer.json are taken: loss masks need the place of each token in the text, which the
old slow tokenizers do not tell. Code of the folder is never run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tunedeck.conversations import Message
from tunedeck.errors import ModelInvalid


@dataclass(frozen=True)
class Encoded:
    """One text: token ids int32 [N] and the index of the character at which each token begins, int32 [N]."""

    tokens_N: np.ndarray
    starts_N: np.ndarray


class ChatTokenizer:
    """Renders conversations and turns text into tokens; knows nothing of losses."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._backend = tokenizer.backend_tokenizer
        # A tokenizer.json may ask for both. Nothing is cut off here, and padding belongs to the microbatch.
        self._backend.no_truncation()
        self._backend.no_padding()

    @classmethod
    def load(cls, path: Path) -> ChatTokenizer:
        """Read tokenizer.json and the chat template of a model folder. Raises ModelInvalid where either is missing, and
        where config.json, which transformers reads on the way, contradicts itself."""
        try:
            tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelInvalid.at(
                "model", str(path), f"the tokenizer of {path} cannot be loaded: {error}", "add its tokenizer.json"
            ) from error
        except StrictDataclassError as error:
            raise ModelInvalid.at(
                "model",
                str(path),
                f"config.json of {path} contradicts itself: {error.__cause__ or error}",
                "copy config.json again from the source of the model",
            ) from error
        if not isinstance(tokenizer, PreTrainedTokenizerFast):
            raise ModelInvalid.at(
                "model", str(path), f"{path} has no tokenizer.json", "save the tokenizer again as a fast tokenizer"
            )
        if not tokenizer.chat_template:
            raise ModelInvalid.at(
                "model",
                str(path),
                f"the tokenizer of {path} has no chat template",
                "put the template of the model's chat variant into chat_template.jinja beside tokenizer.json",
            )
        return cls(tokenizer)

    @property
    def end_of_turn(self) -> str:
        """The text of the token with which the model ends an answer, "" if the tokenizer does not say."""
        return str(self._tokenizer.eos_token or "")

    @property
    def pad_id(self) -> int:
        """A token for padding, which is never learned and never attended to; 0 where the tokenizer names none."""
        return int(self._tokenizer.pad_token_id or 0)

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
        """The text of a conversation as the template writes it. Raises jinja2.TemplateError where it refuses."""
        plain = [{"role": message.role, "content": message.content} for message in messages]
        text: str = self._tokenizer.apply_chat_template(
            plain, tokenize=False, add_generation_prompt=add_generation_prompt
        )
        return text

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokens of each text, without special tokens of the tokenizer's own: the template has written them."""
        return [
            Encoded(
                np.array(encoding.ids, dtype=np.int32),
                np.fromiter((start for start, _ in encoding.offsets), dtype=np.int32, count=len(encoding.ids)),
            )
            for encoding in self._backend.encode_batch(list(texts), add_special_tokens=False)
        ]
