"""`python -m tests.worker.impatient_hub_download`: the download without the minutes of waiting between its tries."""

from __future__ import annotations

import time

from tunedeck.child_process import answer
from worker import hub_download

if __name__ == "__main__":
    time.sleep = lambda _: None  # type: ignore[assignment]
    answer(hub_download.download, 4 << 30)
