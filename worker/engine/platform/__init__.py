"""The machine under the trainer: which device, which communication backend, how its memory is read.

`device` of ResolvedHardware decides everything here; the rest of the engine never asks whether CUDA exists.
"""

from worker.engine.platform.machine import Platform, activate
from worker.engine.platform.parallel import init_parallel, shutdown_parallel

__all__ = ["Platform", "activate", "init_parallel", "shutdown_parallel"]
