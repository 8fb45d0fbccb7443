"""What nobody needs any more: half-made uploads, data sets that lay long enough in the trash, old deliveries, an idle
child process."""

from __future__ import annotations

import time

from backend.alerts import outbox
from backend.alerts.outbox import KEPT_S
from backend.datasets import trash
from backend.db.database import Database
from backend.previews.preview import Preview
from backend.scheduler.leadership import Leadership
from backend.uploads.store import UploadStore
from tunedeck.settings import Settings

SWEEP_EVERY_S = 60.0


class Housekeeping:
    def __init__(
        self, settings: Settings, database: Database, uploads: UploadStore, preview: Preview, leadership: Leadership
    ) -> None:
        self._settings = settings
        self._database = database
        self._uploads = uploads
        self._preview = preview
        self._leadership = leadership

    def sweep(self) -> None:
        self._preview.rest()
        if not self._leadership.is_held():
            return
        now = time.time()
        self._uploads.purge(now)
        outbox.purge(self._database, now - KEPT_S)
        trash.purge(self._database, now - self._settings.trash_lifetime_s)
