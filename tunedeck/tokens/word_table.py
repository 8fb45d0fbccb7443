"""Tokens from a table of words: the same tokens as the tokenizer gives, several times sooner.

A byte-level BPE first cuts a text into words by a regular expression and then works on each word alone. Words repeat,
so here the cutting is done by Python's `re`, and the tokens of each word are asked of the tokenizer once. Nothing is
guessed: the character classes of the expression are read off the tokenizer's own regex engine, and whatever is not
known to be the same (another kind of tokenizer, a text that is not normalised, characters outside the classes that
were read) is left to the tokenizer. The `regex` package was rejected: its Unicode tables are of another year than the
tokenizer's.
"""

from __future__ import annotations

import json
import re
import unicodedata
from array import array
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from tokenizers import Regex, Tokenizer, pre_tokenizers
from tokenizers.models import BPE

# The pattern that a ByteLevel pre-tokenizer brings itself (GPT-2's).
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# What `re` and the tokenizer's engine are compared on: the basic plane without surrogates, and the emoji.
_BLOCKS = ((0x0000, 0xD7FF), (0xE000, 0xFFFF), (0x1F000, 0x1FAFF))
# Outside of them, and the two letters that fold to an ASCII letter where an expression ignores case.
_UNKNOWN = re.compile("[\U00010000-\U0001efff\U0001fb00-\U0010ffff\u017f\u212a]")
_SPACE, _NOT_SPACE = r"\s", r"\S"
_MAX_WORDS = 1 << 20


class WordTable:
    """`words` cuts a text, `tokens` gives the tokens of words, `num_before` looks into a word."""

    def __init__(self, tokenizer: Tokenizer, pattern: re.Pattern[str], added: dict[str, int], *, nfc: bool) -> None:
        self._find_words = pattern.findall
        self._cut_at_added = _any_of(added)
        self._needs_nfc = nfc
        self._tokenizer = tokenizer
        self.num_before = lru_cache(maxsize=4096)(self._num_before)
        self._tokens = _Table(tokenizer, added)

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> WordTable | None:
        """The table for a tokenizer, None for one that does not work word by word in the way described."""
        normalizer, model = _settings(tokenizer.normalizer), tokenizer.model
        pattern = _pattern(_settings(tokenizer.pre_tokenizer))
        added = tokenizer.get_added_tokens_decoder()
        plain = not any(getattr(token, flag) for token in added.values() for flag in _MEDDLING)
        is_bpe = isinstance(model, BPE) and not model.dropout
        if not (pattern and plain and is_bpe and normalizer in ({}, {"type": "NFC"})):
            return None
        compiled = _translated(pattern)
        ids = {token.content: number for number, token in added.items()}
        return cls(tokenizer, compiled, ids, nfc=bool(normalizer)) if compiled else None

    def words(self, text: str) -> list[str] | None:
        """The words and added tokens of a text, which together are the text; None where only the tokenizer knows."""
        if not (text.isascii() or self._knows(text)):
            return None
        plain, *rest = self._cut_at_added.split(text)
        words: list[str] = self._find_words(plain)
        for added, behind in zip(rest[::2], rest[1::2], strict=True):
            words.append(added)
            words += self._find_words(behind)
        return words if "".join(words) == text else None

    def _knows(self, text: str) -> bool:
        return not (_UNKNOWN.search(text) or (self._needs_nfc and not unicodedata.is_normalized("NFC", text)))

    def tokens(self, words: list[str]) -> bytes:
        """Int32, native byte order: to join bytes takes a third of the time that lists of numbers take."""
        return b"".join(map(self._tokens.__getitem__, words))

    @property
    def largest_id(self) -> int:
        """No id that was ever given is larger."""
        return self._tokens.largest_id

    def _num_before(self, word: str, reach: int, *, reaching_in: bool) -> int:
        """How many of a word's tokens come before its character number `reach`: those that begin before it, or with
        `reaching_in` those that end before it. -1 where the tokenizer cuts the word further when it stands alone."""
        alone = self._tokenizer.encode(word, add_special_tokens=False)
        if array("i", alone.ids).tobytes() != self._tokens[word]:
            return -1
        return sum(end <= reach if reaching_in else begin < reach for begin, end in alone.offsets)


class _Table(dict[str, bytes]):
    """The tokens of each word that was met."""

    def __init__(self, tokenizer: Tokenizer, added: dict[str, int]) -> None:
        super().__init__()
        self._added = added
        self._model = tokenizer.model
        self._as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        self.largest_id = 0

    def __missing__(self, word: str) -> bytes:
        if len(self) >= _MAX_WORDS:
            self.clear()
        ids = array("i", self._ids(word))
        self.largest_id = max(self.largest_id, *ids)
        self[word] = tokens = ids.tobytes()
        return tokens

    def _ids(self, word: str) -> list[int]:
        if word in self._added:
            return [self._added[word]]
        ((letters, _),) = self._as_bytes.pre_tokenize_str(word)
        return [token.id for token in self._model.tokenize(letters)]


# What lets an added token reach beyond its own text, or be found in normalised text only.
_MEDDLING = ("single_word", "lstrip", "rstrip", "normalized")


def _settings(part: Any) -> dict[str, Any]:
    """What tokenizer.json says of a normalizer or a pre-tokenizer; the library tells it only by way of pickle."""
    return json.loads(part.__getstate__()) if part is not None else {}


def _any_of(texts: dict[str, int]) -> re.Pattern[str]:
    """Of several that begin at the same place the longest is taken, as the tokenizer does."""
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first))})" if texts else "((?!))")


def _pattern(pre_tokenizer: dict[str, Any]) -> str:
    """The expression that cuts words, "" where words are cut in another way."""
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    if not steps or steps[-1].get("type") != "ByteLevel" or steps[-1].get("add_prefix_space"):
        return ""
    if len(steps) == 1:
        return _GPT2 if steps[0].get("use_regex", True) else ""
    split = steps[0]
    as_said = len(steps) == 2 and not steps[1].get("use_regex", True)
    whole = split.get("type") == "Split" and split.get("behavior") == "Isolated" and not split.get("invert")
    return str(split["pattern"].get("Regex", "")) if as_said and whole else ""


def _translated(pattern: str) -> re.Pattern[str] | None:
    """The same expression for `re`, with every class written out; None where it uses something else."""
    written, in_class = [], False
    for token in re.findall(r"\\p\{\w+\}|\\.|.", pattern, re.DOTALL):
        if token in ("[", "]"):
            in_class = token == "["
        if token.startswith(r"\p") or token in (_SPACE, _NOT_SPACE):
            if in_class and token == _NOT_SPACE:
                return None
            token = _class(token, bare=in_class)
        elif token[0] == "\\" and token[1].isalpha() and token not in (r"\r", r"\n", r"\t"):
            return None
        written.append(token)
    return re.compile("".join(written))


def _class(token: str, *, bare: bool) -> str:
    """A class as a list of ranges, in brackets unless it stands in brackets already."""
    ranges = "".join(
        f"{re.escape(first)}-{re.escape(last)}" for first, last in _ranges(r"\s" if token == _NOT_SPACE else token)
    )
    return ranges if bare else f"[{'^' if token == _NOT_SPACE else ''}{ranges}]"


@lru_cache
def _ranges(token: str) -> tuple[tuple[str, str], ...]:
    """First and last of each run of characters that the tokenizer's regex engine counts to a class, where known."""
    return tuple(_runs(token))


def _runs(token: str) -> Iterator[tuple[str, str]]:
    others = pre_tokenizers.Split(Regex(token), "removed")
    for first, last in _BLOCKS:
        block = "".join(map(chr, range(first, last + 1)))
        inside_from = 0
        for _, (start, stop) in [*others.pre_tokenize_str(block), ("", (len(block), 0))]:
            if start > inside_from:
                yield block[inside_from], block[start - 1]
            inside_from = stop
