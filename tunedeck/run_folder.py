"""Where the files of one attempt lie. One folder per attempt, so that two attempts can never write the same file.

<data_dir>/runs/<job_id>/<attempt>/
    spec.json        the ResolvedSpec; created exclusively: who creates it has claimed the attempt
    events.jsonl     what the engine says (events.py); the recovery truth
    engine.log       stdout and stderr of the launcher and all ranks
    exit.json        written by the supervisor, last of all: return code and reason
    control/exit-space   room for exit.json, kept from the start, so that a full disk can be told
    control/stop     exists when the engine shall write a checkpoint and end
    control/fault    why a rank other than 0 failed, or has to end, for rank 0 to say (fault.py)
    control/beat-0   what rank 0 says of itself once a second (beat.py); gone when it has ended by itself
    control/nccl-trace-0    what NCCL's flight recorder of rank 0 wrote when a collective timed out
    control/launch, control/store    where torchrun and the ranks of one host find each other, instead of at ports
    control/waiting  for what the launcher waits; gone when it waits no more
    control/launcher-fault    why the launcher gave up, which the ranks could only have guessed at
    samples/         the tokenised data set while the ranks open it, where no cache was named; gone afterwards
    checkpoints/iter_0000100/   megatron-core dist_checkpointing, renamed into place when complete
    artifacts/       what other tools read: profile/, tensorboard/, wandb/, memory/, fp8.json; listed and sent by REST
    export/          a Hugging Face folder, renamed into place when complete
    .NAME.partial    NAME while it is written; .NAME.removed while it is removed; an attempt that has ended has neither
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Tells the ranks which file to meet at (RunFolder.store); without it they meet where torchrun says.
STORE_VARIABLE = "TUNEDECK_STORE_FILE"
# Tells ranks of several hosts at which HOST:PORT to meet.
STORE_ADDRESS_VARIABLE = "TUNEDECK_STORE_ADDRESS"
# Tells the engine where its host keeps tokenised data sets.
TOKEN_CACHE_VARIABLE = "TUNEDECK_TOKEN_CACHE"


def token_cache(data_dir: Path) -> Path:
    return data_dir / "cache" / "tokens"


@dataclass(frozen=True)
class RunFolder:
    root: Path

    @classmethod
    def of(cls, data_dir: Path, job_id: str, attempt: int) -> RunFolder:
        return cls(data_dir / "runs" / job_id / str(attempt))

    @property
    def data_dir(self) -> Path:
        """Only of a folder that `of` has named."""
        return self.root.parents[2]

    @property
    def spec(self) -> Path:
        return self.root / "spec.json"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def engine_log(self) -> Path:
        return self.root / "engine.log"

    @property
    def exit_report(self) -> Path:
        return self.root / "exit.json"

    @property
    def exit_space(self) -> Path:
        return self.root / "control" / "exit-space"

    @property
    def stop_request(self) -> Path:
        return self.root / "control" / "stop"

    @property
    def fault(self) -> Path:
        return self.root / "control" / "fault"

    def beat(self, rank: int) -> Path:
        return self.root / "control" / f"beat-{rank}"

    @property
    def nccl_trace(self) -> Path:
        """Without the number of the rank, which torch adds."""
        return self.root / "control" / "nccl-trace-"

    @property
    def launch(self) -> Path:
        return self.root / "control" / "launch"

    @property
    def store(self) -> Path:
        return self.root / "control" / "store"

    @property
    def waiting(self) -> Path:
        return self.root / "control" / "waiting"

    def waiting_for(self) -> str:
        """What `waiting` says, "" where nothing is waited for."""
        try:
            return self.waiting.read_text()
        except FileNotFoundError:
            return ""

    @property
    def launcher_fault(self) -> Path:
        return self.root / "control" / "launcher-fault"

    @property
    def samples(self) -> Path:
        return self.root / "samples"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    def checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"iter_{step:07d}"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def profile(self) -> Path:
        return self.artifacts / "profile"

    @property
    def tensorboard(self) -> Path:
        return self.artifacts / "tensorboard"

    @property
    def wandb(self) -> Path:
        return self.artifacts / "wandb"

    @property
    def memory(self) -> Path:
        return self.artifacts / "memory"

    @property
    def fp8(self) -> Path:
        return self.artifacts / "fp8.json"

    @property
    def export(self) -> Path:
        return self.root / "export"

    def earlier(self) -> list[RunFolder]:
        """Those of the earlier attempts of the same job."""
        numbers = (int(path.name) for path in self.root.parent.iterdir() if path.name.isdecimal())
        return [RunFolder(self.root.with_name(str(number))) for number in numbers if number < int(self.root.name)]

    def leftovers(self) -> list[Path]:
        """Folders that an engine had begun to write or to remove when it ended, and nobody will finish."""
        parents, ends = (self.root, self.checkpoints), ("partial", "removed")
        hidden = [path for parent in parents for end in ends for path in parent.glob(f".*.{end}")]
        return [*hidden, self.samples] if self.samples.exists() else hidden
