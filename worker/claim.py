"""Claims an attempt by creating its spec.json exclusively: of two messages or two workers, one wins.

The file is written aside and linked into place, so that whoever sees it sees all of it, and a full disk leaves none.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tunedeck.bus import RunAttempt
from tunedeck.run_folder import RunFolder

# More than a report with the last 64 KiB of the log ever takes.
EXIT_SPACE_BYTES = 256 << 10


def claim(folder: RunFolder, order: RunAttempt) -> bool:
    """True for exactly one caller per attempt. May raise OSError, and then nobody has claimed it."""
    if folder.spec.exists():
        return False
    folder.stop_request.parent.mkdir(parents=True, exist_ok=True)
    # Written, not only sized: a file without blocks would find no room later.
    folder.exit_space.write_bytes(bytes(EXIT_SPACE_BYTES))
    descriptor, aside = tempfile.mkstemp(dir=folder.root, prefix=".spec-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(order.spec.model_dump_json(indent=2))
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, folder.spec)
    except FileExistsError:
        return False
    finally:
        Path(aside).unlink()
    return True
