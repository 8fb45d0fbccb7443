"""What a data set says: conversations, whatever shape the file has.

`read_conversations` streams them, `scan` counts them. Engine and backend both read through here, so that a file which
was accepted at registration can never mean something else when it is trained.
"""

from tunedeck.conversations.conversation import Conversation, Message, Role, ToolCall
from tunedeck.conversations.reading import Shape
from tunedeck.conversations.report import DatasetReport, content_sha256, scan
from tunedeck.conversations.shapes import read_conversations

__all__ = [
    "Conversation",
    "DatasetReport",
    "Message",
    "Role",
    "Shape",
    "ToolCall",
    "content_sha256",
    "read_conversations",
    "scan",
]
