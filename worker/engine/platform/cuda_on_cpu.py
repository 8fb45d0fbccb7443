"""Answers "cuda" with the CPU, so that the megatron-core that users run on GPUs also runs where there is none.

Megatron-core has no notion of a device: it writes `device="cuda"`, `.cuda()` and `torch.cuda.current_device()` about
two hundred times, and its optimizers compare `tensor.type()` with "torch.cuda.FloatTensor". This file answers those
calls and nothing else: arithmetic, communication and autograd are PyTorch's own. It refuses to be installed where CUDA
exists. Patching megatron-core's source was rejected (a fork that nobody else runs), and so was replacing the tensor
factories of torch for the whole process (it would change what other libraries mean by "cuda" too).

Every function that was answered is remembered. `call_sites()` lists them, and a test compares the list with the one
that was reviewed, so that a new version of megatron-core cannot come to rely on this file unseen.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from types import CodeType
from typing import Any

import megatron.core.tensor_parallel.random as megatron_random
import torch
from torch.overrides import TorchFunctionMode

logger = logging.getLogger(__name__)

CPU = torch.device("cpu")
_answered: set[CodeType] = set()


def call_sites() -> frozenset[str]:
    """The functions of megatron-core answered so far in this process, as `path/below/megatron/core.py:function`."""
    return frozenset(site for site in map(_site, _answered) if not site.startswith("/"))


def install() -> None:
    """Put the stand-ins for torch.cuda in place, for the whole process. A second call changes nothing."""
    if torch.cuda.is_available():
        raise RuntimeError("cuda_on_cpu must not be installed where CUDA exists: it would hide the GPU")
    for name, stand_in in _STAND_INS.items():
        setattr(torch.cuda, name, stand_in)
    # The tracker of random numbers reaches below torch.cuda, into generators that a CPU build does not have.
    megatron_random._get_cuda_rng_state = _get_rng_state
    megatron_random._set_cuda_rng_state = _set_rng_state


class CudaMeansCpu(TorchFunctionMode):
    """While entered, tensors asked for on "cuda" are made on the CPU. Holds for the thread that entered it.

    PyTorch does not carry the mode into the backward pass. Nothing that megatron-core runs there needs it: it asks
    torch.cuda.current_device(), which `install` answers everywhere. Where that ever changes, PyTorch raises.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if kwargs and ("device" in kwargs or "pin_memory" in kwargs):
            kwargs = _without_cuda(kwargs)
        answer = _ANSWERS.get(func)
        if answer is not None:
            return answer(func, args, kwargs or {})
        return func(*args, **kwargs) if kwargs else func(*args)


def _without_cuda(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    changed = dict(kwargs)
    if _is_cuda(changed.get("device")):
        changed["device"] = CPU
    # Page-locked memory needs the CUDA driver; a tensor that is used where it lies needs none.
    changed.pop("pin_memory", None)
    if changed != kwargs:
        _remember(sys._getframe(2))
    return changed


def _is_cuda(device: object) -> bool:
    if isinstance(device, str):
        return device.startswith("cuda")
    return isinstance(device, torch.device) and device.type == "cuda"


def _cuda(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    _remember(sys._getframe(2))
    return args[0]


def _to(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    if any(map(_is_cuda, args)):
        _remember(sys._getframe(2))
        args = tuple(CPU if _is_cuda(arg) else arg for arg in args)
    return func(*args, **kwargs)


def _type(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    answer = func(*args, **kwargs)
    if not isinstance(answer, str):
        return answer
    _remember(sys._getframe(2))
    return answer.replace("torch.", "torch.cuda.", 1)


_ANSWERS: dict[Any, Callable[[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]], Any]] = {
    torch.Tensor.cuda: _cuda,
    torch.Tensor.to: _to,
    torch.Tensor.type: _type,
}


class _Stream:
    """Stands for a CUDA stream or event. On a CPU everything is done when the call returns, so waiting is nothing."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Takes whatever a stream or an event takes."""

    def wait_stream(self, stream: object) -> None:
        """The other stream's work is done already."""

    def wait_event(self, event: object) -> None:
        """The event has happened already."""

    def record(self, stream: object = None) -> None:
        """Nothing is pending that could be marked."""

    def wait(self, stream: object = None) -> None:
        """Nothing is pending."""

    def record_event(self, event: object = None) -> _Stream:
        """The event has happened already."""
        return self

    def synchronize(self) -> None:
        """Nothing is pending."""


_ONLY_STREAM = _Stream()


def _only_stream(device: object = None) -> _Stream:
    _remember(sys._getframe(1))
    return _ONLY_STREAM


@contextmanager
def _on_stream(stream: object) -> Iterator[None]:
    yield


def _current_device() -> torch.device:
    _remember(sys._getframe(1))
    return CPU


def _synchronize(device: object = None) -> None:
    _remember(sys._getframe(1))


def _get_rng_state(device: object = "cuda", clone: bool = False, graph_safe: bool = False) -> torch.Tensor:
    _remember(sys._getframe(1))
    return torch.get_rng_state()


def _set_rng_state(new_state: torch.Tensor, device: object = -1, graph_safe: bool = False) -> None:
    _remember(sys._getframe(1))
    torch.set_rng_state(new_state)


def _manual_seed(seed: int) -> None:
    _remember(sys._getframe(1))
    torch.default_generator.manual_seed(seed)


_STAND_INS: dict[str, Any] = {
    "current_device": _current_device,
    "synchronize": _synchronize,
    "stream": _on_stream,
    "current_stream": _only_stream,
    "default_stream": _only_stream,
    "Stream": _Stream,
    "Event": _Stream,
    "get_rng_state": _get_rng_state,
    "set_rng_state": _set_rng_state,
    "manual_seed": _manual_seed,
}


def _remember(frame: Any) -> None:
    code = frame.f_code
    if code in _answered:
        return
    _answered.add(code)
    logger.debug("answered cuda with the CPU in %s", _site(code))


def _site(code: CodeType) -> str:
    path = PurePath(code.co_filename).as_posix()
    _, _, below = path.rpartition("/megatron/core/")
    return f"{below or path}:{code.co_qualname}"
