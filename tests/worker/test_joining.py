"""What a joining worker finds on the bus and on its own disk, and when it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.valkey import ValkeyServer
from tunedeck.bus import SERVICE_KEY, ServiceRecord
from tunedeck.errors import Unavailable
from tunedeck.settings import Settings
from tunedeck.shared_folder import ID_FILE, record_of
from worker.joining import joined


def join(settings: Settings, valkey: ValkeyServer, record: ServiceRecord | None) -> Settings:
    bus = valkey.client()
    if record is not None:
        bus.set(SERVICE_KEY, record.model_dump_json())
    return joined(settings, bus, patience_s=0.0)


@pytest.fixture
def service(folder: Path) -> ServiceRecord:
    """What a backend says whose data folder this host sees."""
    return record_of(Settings(data_dir=folder / "shared", model_roots=(folder,)))


def test_the_workers_own_data_folder_gives_way_to_that_of_the_service(
    settings: Settings, valkey: ValkeyServer, service: ServiceRecord
) -> None:
    assert join(settings, valkey, service).data_dir == Path(service.data_dir) != settings.data_dir


def test_the_id_of_a_data_folder_is_made_once(folder: Path, service: ServiceRecord) -> None:
    assert record_of(Settings(data_dir=folder / "shared")).service_id == service.service_id
    assert [path.name for path in (folder / "shared").iterdir()] == [ID_FILE]


def test_a_folder_that_is_missing_or_another_one_is_refused_by_its_path(
    settings: Settings, valkey: ValkeyServer, service: ServiceRecord, folder: Path
) -> None:
    with pytest.raises(Unavailable, match="/nowhere, is not on this host") as missing:
        join(settings, valkey, service.model_copy(update={"data_dir": "/nowhere"}))
    assert missing.value.mend == "mount it at /nowhere, the same path as on the service's host"
    (folder / "shared" / ID_FILE).write_text("another\n")
    with pytest.raises(Unavailable, match="another folder"):
        join(settings, valkey, service)


def test_a_root_of_models_that_is_missing_is_named(
    settings: Settings, valkey: ValkeyServer, service: ServiceRecord
) -> None:
    with pytest.raises(Unavailable, match="/nowhere/models, which this host lacks"):
        join(settings, valkey, service.model_copy(update={"roots": ("/nowhere/models",)}))


def test_a_bus_without_a_backend_and_one_that_is_away_are_told_apart(settings: Settings, valkey: ValkeyServer) -> None:
    with pytest.raises(Unavailable, match="no backend has spoken"):
        join(settings, valkey, None)
    valkey.stop()
    with pytest.raises(Unavailable, match="does not answer"):
        join(settings, valkey, None)
