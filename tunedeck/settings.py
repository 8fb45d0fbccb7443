"""Every setting of a deployment, read once from `TUNEDECK_*` and passed down. Nothing else reads the environment.

`tunedeck up` starts its children with `as_env()`, so that parent and children can never disagree.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from tunedeck.retries import LONGEST_DELAY_S, RetryPolicy
from tunedeck.run_folder import token_cache
from tunedeck.spec import LauncherName


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TUNEDECK_", frozen=True, extra="ignore")

    data_dir: Path = Field(Path(".tunedeck"), description="database, bus, runs, models, data sets, the first token")
    host: str = "127.0.0.1"
    port: int = Field(8500, ge=0, le=65535)
    public_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description='where browsers find the pages, for links in alerts; "": host and port',
    )
    redis_url: str = Field("", description='"": the embedded Valkey, on a Unix socket in data_dir')
    bus_listen: str = Field(
        "",
        pattern=r"^(\S+:\d{1,5})?$",
        description='ADDRESS:PORT where the embedded Valkey also listens, for workers on other hosts; "": nowhere',
    )
    redis_bin: str = Field("", description="another Redis or Valkey server binary for the embedded bus")
    database_url: str = Field("", description='"": SQLite in data_dir')
    model_roots: tuple[Path, ...] = Field((), description="models may be registered below these and below data_dir")
    dataset_roots: tuple[Path, ...] = Field(
        (), description="data sets may be registered below these and below data_dir"
    )
    allowed_hosts: tuple[str, ...] = Field((), description="further host names by which the pages may be reached")
    host_name: str = Field("", description="name of this worker's host; \"\": the machine's own")
    launcher: LauncherName = Field("local", description="what this worker starts attempts with; ray: for a Ray cluster")
    ray_address: str = Field("auto", description="of the Ray cluster's head, as HOST:PORT; auto: the one of this node")
    heartbeat_s: float = Field(2.0, gt=0)
    lease_s: float = Field(15.0, gt=0, description="an attempt without a heartbeat for so long is given up")
    stop_grace_s: float = Field(
        45.0,
        gt=0,
        description="time for a last checkpoint before the processes are ended, for which they have ten seconds more",
    )
    max_attempts: int = Field(
        3, ge=1, description="attempts in a row without a new checkpoint, unless the spec of a job says otherwise"
    )
    retry_first_delay_s: float = Field(1.0, ge=0, description="before the first retry; doubles with each in a row")
    retry_longest_delay_s: float = Field(LONGEST_DELAY_S, ge=0, le=LONGEST_DELAY_S)
    max_upload_bytes: int = Field(64 << 30, gt=0)
    hub_enabled: bool = Field(True, description="whether data sets may be fetched from the Hugging Face hub")
    upload_lifetime_s: float = Field(24 * 3600.0, gt=0, description="an unfinished upload is kept so long")
    trash_lifetime_s: float = Field(7 * 24 * 3600.0, gt=0, description="a deleted data set can be restored so long")

    def resolved_redis_url(self) -> str:
        return self.redis_url or f"unix://{self.bus_dir.resolve()}/valkey.sock"

    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir.resolve()}/tunedeck.db"

    def retry_policy(self) -> RetryPolicy:
        return RetryPolicy(self.max_attempts, self.retry_first_delay_s, self.retry_longest_delay_s)

    @property
    def bus_dir(self) -> Path:
        return self.data_dir / "bus"

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models"

    @property
    def datasets_dir(self) -> Path:
        return self.data_dir / "datasets"

    @property
    def uploads_dir(self) -> Path:
        return self.data_dir / "uploads"

    @property
    def works_dir(self) -> Path:
        return self.data_dir / "works"

    @property
    def token_cache_dir(self) -> Path:
        return token_cache(self.data_dir)

    @property
    def token_file(self) -> Path:
        return self.data_dir / "token"

    def allowed_model_roots(self) -> tuple[Path, ...]:
        """The run folders are among them: an export is a model that can be trained further."""
        return tuple(root.resolve() for root in (self.models_dir, self.data_dir / "runs", *self.model_roots))

    def allowed_dataset_roots(self) -> tuple[Path, ...]:
        return tuple(root.resolve() for root in (self.datasets_dir, *self.dataset_roots))

    def as_env(self) -> dict[str, str]:
        """The settings as environment variables for child processes, in the form that pydantic-settings reads."""
        raw = self.model_dump(mode="json")
        return {
            f"TUNEDECK_{key.upper()}": json.dumps(value) if isinstance(value, list) else str(value)
            for key, value in raw.items()
        }
