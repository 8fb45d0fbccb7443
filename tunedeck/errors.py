"""The one tree of errors. Whatever goes wrong in any room is raised as one of these and reaches the user unchanged.

An error is a stable code (for programs), a sentence that names the offending value, and a mend (what to do about it).
We refuse to raise bare ValueErrors across a room's border: a caller could not tell a user's mistake from our own.
The alternative, one exception per HTTP status, was rejected: the command line and the engine have no HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self


@dataclass(frozen=True)
class Problem:
    """One fault of one field. `field` is a dotted path as the user wrote it (`optimizer.lr`); "" is the whole input."""

    field: str
    value: Any
    message: str
    mend: str


class TunedeckError(Exception):
    """Base of everything that we raise on purpose. `http_status` is what REST answers; other rooms ignore it."""

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, mend: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend
        self.problems = problems

    def as_dict(self) -> dict[str, Any]:
        """The error as REST sends it and as the engine writes it: code, message, mend, problems."""
        return {
            "code": self.code,
            "message": self.message,
            "mend": self.mend,
            "problems": [asdict(problem) for problem in self.problems],
        }


class BadInput(TunedeckError):
    """The user can mend it by changing what was sent."""

    code = "bad_input"
    http_status = 422

    @classmethod
    def at(cls, field: str, value: Any, message: str, mend: str) -> Self:
        """The common case: exactly one field is at fault."""
        return cls(message, mend, (Problem(field, value, message, mend),))


class SpecInvalid(BadInput):
    """A job spec that cannot run; `problems` holds every fault that was found, not just the first."""

    code = "spec_invalid"


class DatasetInvalid(BadInput):
    code = "dataset_invalid"


class ModelInvalid(BadInput):
    code = "model_invalid"


class PathRefused(BadInput):
    """A path outside the configured roots, or of a kind that is never loaded (pickle)."""

    code = "path_refused"


class NotFound(TunedeckError):
    code = "not_found"
    http_status = 404


class Conflict(TunedeckError):
    """The request was fine, but the thing it names is in a state that does not allow it."""

    code = "conflict"
    http_status = 409


class DatasetInUse(Conflict):
    """Jobs that have not ended name the data set; the message names them."""

    code = "dataset_in_use"


class IllegalTransition(Conflict):
    code = "illegal_transition"


class LoginRequired(TunedeckError):
    code = "login_required"
    http_status = 401


class OriginRefused(TunedeckError):
    code = "origin_refused"
    http_status = 403


class AdminRequired(TunedeckError):
    """The token is valid, but this is for whoever runs the service: the token of the data folder."""

    code = "admin_required"
    http_status = 403


class TooLarge(TunedeckError):
    code = "too_large"
    http_status = 413


class VersionRefused(TunedeckError):
    """A protocol version that is not spoken here."""

    code = "version_refused"
    http_status = 412


class WrongMediaType(TunedeckError):
    code = "wrong_media_type"
    http_status = 415


class ChecksumMismatch(TunedeckError):
    """What arrived is not what was sent. 460 is the status that tus gives it."""

    code = "checksum_mismatch"
    http_status = 460


class Unavailable(TunedeckError):
    """Something that we depend on (bus, database, disk, a worker) is not there now; trying again may help."""

    code = "unavailable"
    http_status = 503


class DiskFull(Unavailable):
    code = "disk_full"
    http_status = 507


class ChildFailed(Unavailable):
    """A process that `tunedeck up` supervises could not start; the mend holds the last lines of its log."""

    code = "child_failed"


class EngineFailed(TunedeckError):
    """Training ended by a fault. Raised inside the engine, classified by the worker, shown on the run page."""

    code = "engine_failed"


class LossNotFinite(EngineFailed):
    code = "loss_not_finite"


class Fp8NotEngaged(EngineFailed):
    """A run that asked for FP8 computed in something else."""

    code = "fp8_not_engaged"


class OutOfMemory(EngineFailed):
    code = "out_of_memory"


class CheckpointFailed(EngineFailed):
    """A checkpoint could not be written. The one before is untouched."""

    code = "checkpoint_failed"


class CheckpointUnreadable(EngineFailed):
    """A checkpoint that was complete once cannot be read any more."""

    code = "checkpoint_unreadable"


class RankLost(EngineFailed):
    """One of the training processes is gone, without having said why."""

    code = "rank_lost"


class RankHung(EngineFailed):
    """A training process gives no sign of life, or the ranks wait for each other without end."""

    code = "rank_hung"


class CollectiveFailed(EngineFailed):
    """NCCL or gloo failed between ranks that are all still there, as after a fault of a link."""

    code = "collective_failed"


class HostLost(EngineFailed):
    """The worker of the last allowed attempt fell silent, or ended without saying how."""

    code = "host_lost"


class ClusterUnfit(EngineFailed):
    """A node of a cluster cannot run the attempt: it has another version, or does not see the run folder."""

    code = "cluster_unfit"


class Fenced(EngineFailed):
    """This attempt has been replaced by a newer one and must not publish anything more."""

    code = "fenced"


def by_code() -> dict[str, type[TunedeckError]]:
    """Every error class by its code."""
    found: dict[str, type[TunedeckError]] = {}
    waiting: list[type[TunedeckError]] = [TunedeckError]
    while waiting:
        kind = waiting.pop()
        found[kind.code] = kind
        waiting.extend(kind.__subclasses__())
    return found


def error_of(told: Mapping[str, Any]) -> TunedeckError:
    """The error that `as_dict` told, across a process; a code that is unknown here becomes the general error."""
    kind = by_code().get(told["code"], TunedeckError)
    return kind(told["message"], told["mend"], tuple(Problem(**problem) for problem in told["problems"]))
