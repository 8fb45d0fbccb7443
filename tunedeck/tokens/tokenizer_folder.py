"""What the files of a tokenizer say: tokenizer.json, its special tokens, its chat templates.

Only a folder with a tokenizer.json is taken: loss masks need the place of each token in the text, which the older kinds
do not tell. Code of the folder is never run. transformers' AutoTokenizer was rejected: it guesses where a file is
missing, and it needs config.json of the model besides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from tunedeck.errors import ModelInvalid
from tunedeck.tokens.chat_template import DEFAULT

_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


@dataclass(frozen=True)
class TokenizerFolder:
    """`templates` is empty where the tokenizer has none; `special_tokens` holds those that have a text."""

    tokenizer: Tokenizer
    special_tokens: dict[str, str]
    templates: dict[str, str]


def read_tokenizer(path: Path) -> TokenizerFolder:
    """Read a model folder. Raises ModelInvalid where tokenizer.json is missing or a file cannot be read."""
    config = _json(path, "special_tokens_map.json") | _json(path, "tokenizer_config.json")
    special = {name: text for name in _SPECIAL if (text := _text(config.get(name)))}
    return TokenizerFolder(_tokenizer(path, config), special, _templates(path, config))


def _tokenizer(path: Path, config: Mapping[str, Any]) -> Tokenizer:
    file = path / "tokenizer.json"
    if not file.is_file():
        raise _invalid(path, f"{path} has no tokenizer.json", "save the tokenizer again as a fast tokenizer")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exceptions
        raise _invalid(
            path, f"the tokenizer of {path} cannot be loaded: {error}", "fetch tokenizer.json again"
        ) from error
    _add_missing(tokenizer, config)
    # A tokenizer.json may ask for both. Nothing is cut off here, and padding belongs to the microbatch.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _add_missing(tokenizer: Tokenizer, config: Mapping[str, Any]) -> None:
    """Some folders name added tokens only in tokenizer_config.json; transformers adds them, in the order of ids."""
    declared = config.get("added_tokens_decoder")
    if not isinstance(declared, dict):
        return
    for _, token in sorted(declared.items(), key=lambda item: int(item[0])):
        if not isinstance(token, dict) or tokenizer.token_to_id(token["content"]) is not None:
            continue
        flags = {name: bool(token.get(name)) for name in ("single_word", "lstrip", "rstrip", "normalized", "special")}
        tokenizer.add_tokens([AddedToken(token["content"], **flags)])


def _templates(path: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """By name. A file of its own goes before the one in tokenizer_config.json, as in transformers."""
    declared = config.get("chat_template")
    templates: dict[str, str] = {}
    if isinstance(declared, str):
        templates = {DEFAULT: declared}
    elif isinstance(declared, list):
        templates = {str(each["name"]): str(each["template"]) for each in declared}
    for file in sorted((path / "additional_chat_templates").glob("*.jinja")):
        templates[file.stem] = file.read_text(encoding="utf-8")
    own = path / "chat_template.jinja"
    if own.is_file():
        templates[DEFAULT] = own.read_text(encoding="utf-8")
    return templates


def _text(token: Any) -> str:
    """A special token is its text, or an object with its content."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else ""


def _json(path: Path, name: str) -> dict[str, Any]:
    file = path / name
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _invalid(path, f"{name} of {path} cannot be read: {error}", "fetch it again") from error
    if not isinstance(content, dict):
        raise _invalid(path, f"{name} of {path} does not hold a JSON object", "fetch it again")
    return content


def _invalid(path: Path, message: str, mend: str) -> ModelInvalid:
    return ModelInvalid.at("model", str(path), message, mend)
