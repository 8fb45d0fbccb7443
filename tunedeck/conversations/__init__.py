"""What a data set says: conversations, whatever shape and format the file has.

Here are the words for it, which everybody may import. Reading itself (`scan`, `convert`, `files`) needs the extra
`data` and is imported by name. Engine and backend both read through there, so that a file which was accepted at
registration can never mean something else when it is trained.
"""

from tunedeck.conversations.conversation import Conversation, Message, Role, ToolCall
from tunedeck.conversations.reading import ColumnMapping, FaultKind, FaultPolicy, Reading, Shape
from tunedeck.conversations.report import DatasetReport

__all__ = [
    "ColumnMapping",
    "Conversation",
    "DatasetReport",
    "FaultKind",
    "FaultPolicy",
    "Message",
    "Reading",
    "Role",
    "Shape",
    "ToolCall",
]
