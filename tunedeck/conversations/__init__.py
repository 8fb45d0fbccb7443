"""What a data set says: conversations, whatever shape the file has.

`read_conversations` streams them, `scan` counts them. Engine and backend both read through here, so that a file which
was accepted at registration can never mean something else when it is trained.
"""

from tunedeck.conversations.report import DatasetReport, content_sha256, scan
from tunedeck.conversations.shapes import Conversation, Message, Shape, is_trainable, read_conversations

__all__ = [
    "Conversation",
    "DatasetReport",
    "Message",
    "Shape",
    "content_sha256",
    "is_trainable",
    "read_conversations",
    "scan",
]
