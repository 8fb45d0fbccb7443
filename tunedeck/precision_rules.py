"""Which precision a host can really compute in. Megatron-core itself accepts FP8 anywhere and, without Transformer
Engine, silently computes in full precision; so it is refused here, by name, before the queue.

Sources: Transformer Engine's own checks (tensorwise from 2.2, blockwise from 2.3 on compute capability 9.0 and CUDA
12.9, mxfp8 from 2.1 on compute capability 10.0; FP8 matrix units from 8.9).
"""

from __future__ import annotations

from dataclasses import dataclass

from tunedeck.bus import HostFacts
from tunedeck.errors import Problem
from tunedeck.spec import Precision


@dataclass(frozen=True)
class RecipeNeeds:
    compute_capability: tuple[int, int]
    hardware: str
    cuda: tuple[int, int]
    transformer_engine: tuple[int, int]


RECIPES: dict[str, RecipeNeeds] = {
    "delayed": RecipeNeeds((8, 9), "an Ada, Hopper or newer GPU", (12, 1), (1, 0)),
    "tensorwise": RecipeNeeds((8, 9), "an Ada, Hopper or newer GPU", (12, 1), (2, 2)),
    "blockwise": RecipeNeeds((9, 0), "a Hopper GPU", (12, 9), (2, 3)),
    "mxfp8": RecipeNeeds((10, 0), "a Blackwell GPU", (12, 8), (2, 1)),
}


def precision_problems(asked: Precision, host: HostFacts) -> list[Problem]:
    """Every reason why `host` cannot compute in the precision that was asked for."""
    if host.kind == "cpu" and asked.params_dtype == "bf16":
        message = f"bf16 was asked for, and {host.name} has no GPU: the CPU path computes in fp32"
        return [Problem("precision.params_dtype", "bf16", message, "leave it out, or use fp32"), *_fp8(asked, host)]
    return _fp8(asked, host)


def _fp8(asked: Precision, host: HostFacts) -> list[Problem]:
    if asked.fp8_format is None:
        return _fp8_fields_without_fp8(asked)
    if asked.params_dtype == "fp32":
        message = "FP8 matrix products want bf16 parameters beside them, not fp32"
        return [Problem("precision.params_dtype", "fp32", message, "use bf16 or leave it out")]
    if host.kind == "cpu":
        message = f"FP8 ({asked.fp8_format}) needs a Hopper GPU and Transformer Engine; {host.name} has no GPU"
        return [Problem("precision.fp8_format", asked.fp8_format, message, "leave fp8_format out")]
    if not host.transformer_engine_version:
        message = f"FP8 needs Transformer Engine, and {host.name} cannot import it"
        return [Problem("precision.fp8_format", asked.fp8_format, message, "install transformer-engine on that host")]
    return _recipe_problems(asked, host)


def _fp8_fields_without_fp8(asked: Precision) -> list[Problem]:
    given: dict[str, object] = {}
    if asked.fp8_recipe is not None:
        given["fp8_recipe"] = asked.fp8_recipe
    if asked.fp8_param_gather:
        given["fp8_param_gather"] = True
    return [
        Problem(f"precision.{field}", value, f"{field} is set, but fp8_format is not", "set fp8_format: e4m3 or hybrid")
        for field, value in given.items()
    ]


def _recipe_problems(asked: Precision, host: HostFacts) -> list[Problem]:
    recipe = asked.fp8_recipe or "blockwise"
    needs = RECIPES[recipe]
    weakest = min(device.compute_capability for device in host.devices)
    lacking = []
    if weakest < needs.compute_capability:
        lacking.append(
            f"{needs.hardware} (compute capability {_dotted(needs.compute_capability)}, not {_dotted(weakest)})"
        )
    if _version(host.cuda_version) < needs.cuda:
        lacking.append(f"CUDA {_dotted(needs.cuda)}, not {host.cuda_version or 'none'}")
    if _version(host.transformer_engine_version) < needs.transformer_engine:
        lacking.append(f"Transformer Engine {_dotted(needs.transformer_engine)}, not {host.transformer_engine_version}")
    if not lacking:
        return []
    message = f"the FP8 recipe {recipe} needs {' and '.join(lacking)} on {host.name}"
    return [Problem("precision.fp8_recipe", recipe, message, "choose another recipe or leave fp8_format out")]


def _version(text: str) -> tuple[int, int]:
    parts = [*text.split("."), "0", "0"]
    return (int(parts[0]) if parts[0].isdigit() else 0, int(parts[1]) if parts[1].isdigit() else 0)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
