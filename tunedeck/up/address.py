"""Where the service of a data folder is: `<data_dir>/up.json`, written by `up` once it serves, read by the client.

After a kill -9 the file stays and names a service that is gone; the client then says that nothing answers there.
"""

from __future__ import annotations

import os
from pathlib import Path

from tunedeck.spec import Component


class Address(Component):
    url: str
    pid: int

    @staticmethod
    def file(data_dir: Path) -> Path:
        return data_dir / "up.json"

    @classmethod
    def read(cls, data_dir: Path) -> Address | None:
        """None where no `up` has ever served the folder, or where it ended in good order."""
        try:
            return cls.model_validate_json(cls.file(data_dir).read_bytes())
        except FileNotFoundError:
            return None

    def write(self, data_dir: Path) -> None:
        """Atomic, so that a reader never sees half a file."""
        target = self.file(data_dir)
        draft = target.with_suffix(".json.new")
        draft.write_text(self.model_dump_json() + "\n")
        os.replace(draft, target)  # noqa: PTH105
