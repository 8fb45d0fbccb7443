"""What an hour of a GPU costs. Nothing is built in: a price that nobody has set is no price, and no cost is shown."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tunedeck.component import Component
from tunedeck.peak_rates import names_card

Price = Annotated[float, Field(ge=0, le=1e6)]


class KindPrice(Component):
    """The price of GPUs whose name, as the driver gives it, has `kind` in it: `H100` is in `NVIDIA H100 80GB HBM3`."""

    kind: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")
    per_gpu_hour: Price


class PriceList(Component):
    """The first of `by_kind` that fits counts, else `per_gpu_hour`; 0 is no price. Cores of a CPU cost nothing."""

    per_gpu_hour: Price = 0.0
    by_kind: tuple[KindPrice, ...] = Field((), max_length=50)
    currency: str = Field("USD", pattern=r"^[^\s\d<>&\"']{1,8}$")

    def of(self, device_name: str) -> float:
        """The price of an hour of such a GPU; "" is one whose name is not known."""
        fitting = (priced.per_gpu_hour for priced in self.by_kind if names_card(priced.kind, device_name))
        return next(fitting, self.per_gpu_hour)
