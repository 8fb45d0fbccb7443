"""Which conversations have been seen, in memory that has a bound.

A table of 8-byte hashes with open addressing, 11 to 24 bytes a conversation; a Python set takes about 90. At the bound,
256 MiB or 23 million conversations, nothing more is added, and later rows are compared with those only: the report says
how many. Two different conversations are taken for one with a chance of 1 in 100,000 at that size.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

from tunedeck.conversations.conversation import Conversation

_FIRST_SLOTS = 1 << 12
_MOST_SLOTS = 1 << 25
_FULL = 0.7
# Most weights; the others are written out.
_MARKS = {0.0: "-", 1.0: "+"}


class Seen:
    """`num_known` conversations are compared with."""

    def __init__(self, most_slots: int = _MOST_SLOTS) -> None:
        self._most_slots = most_slots
        self._slots = _empty(min(_FIRST_SLOTS, most_slots))
        self._room = int(len(self._slots) * _FULL)
        self.num_known = 0

    def add(self, key: int) -> bool:
        """Whether the conversation of that key is new."""
        slots, mask = self._slots, len(self._slots) - 1
        place = key & mask
        while (found := slots[place]) != 0:
            if found == key:
                return False
            place = (place + 1) & mask
        if self.num_known < self._room:
            slots[place] = key
            self.num_known += 1
        elif len(slots) < self._most_slots:
            self._grow()
            return self.add(key)
        return True

    def _grow(self) -> None:
        old, self._slots = self._slots, _empty(2 * len(self._slots))
        self._room = int(len(self._slots) * _FULL)
        mask = len(self._slots) - 1
        for key in old:
            if key == 0:
                continue
            place = key & mask
            while self._slots[place] != 0:
                place = (place + 1) & mask
            self._slots[place] = key


def _empty(num_slots: int) -> array[int]:
    return array("Q", bytes(8 * num_slots))


def key_of(conversation: Conversation) -> int:
    """64 bits, never 0, which marks an empty slot. Roles, texts, calls, tools and what is learned all count."""
    parts: list[str] = []
    for message in conversation.messages:
        parts += (message.role, _MARKS.get(message.weight) or repr(message.weight), message.content)
        if message.tool_calls or message.reasoning_content or message.name or message.tool_call_id:
            parts.append(repr(message))
    if conversation.tools:
        parts.append(repr(conversation.tools))
    # No text holds a NUL: that is a fault of encoding.
    digest = blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1
