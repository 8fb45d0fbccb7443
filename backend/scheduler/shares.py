"""What each owner has had of the devices lately: the number that fair share compares.

    share = Σ over attempts  devices · ∫ 2^(−(now − t) / HALF_LIFE_S) dt   from placing to the end, or to now
          + devices held now · HELD_COUNTS_S

in device-seconds, for each pool by itself. A device-second of a day ago counts half, one of a week ago less than 1%.
It is computed from the attempts whenever it is asked for; a tally that every end of an attempt adds to was rejected,
because it is wrong for ever once one end has been missed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from backend.db.tables.jobs import AttemptRow, JobRow
from backend.scheduler.order import HELD_COUNTS_S, Lane
from backend.scheduler.pools import pool_of

HALF_LIFE_S = 24 * 3600.0
FORGOTTEN_AFTER_S = 7 * HALF_LIFE_S


def shares_of(session: Session, owners: Collection[str], now: float) -> dict[Lane, float]:
    """By owner and pool, in device-seconds. `now` is unix time in seconds."""
    query = (
        select(
            JobRow.owner,
            JobRow.launcher,
            JobRow.device,
            JobRow.num_devices,
            AttemptRow.num_devices,
            AttemptRow.placed_at,
            AttemptRow.ended_at,
        )
        .join(JobRow, JobRow.id == AttemptRow.job_id)
        .where(
            JobRow.owner.in_(owners),
            or_(AttemptRow.ended_at.is_(None), AttemptRow.ended_at > now - FORGOTTEN_AFTER_S),
        )
    )
    found: dict[Lane, float] = defaultdict(float)
    for owner, launcher, device, num_asked, num_held, placed_at, ended_at in session.execute(query):
        held_s = HELD_COUNTS_S if ended_at is None else 0.0
        lately_s = decayed_s(placed_at, now if ended_at is None else ended_at, now)
        # Under Ray an attempt holds a place, not devices; on a CPU host it holds more than were asked for.
        found[owner, pool_of(launcher, device)] += max(num_asked, num_held) * (lately_s + held_s)
    return dict(found)


def decayed_s(start: float, end: float, now: float) -> float:
    """The seconds from `start` to `end`, each weighted with 2^(−age / HALF_LIFE_S)."""
    rate = math.log(2) / HALF_LIFE_S
    return (math.exp(-rate * (now - end)) - math.exp(-rate * (now - start))) / rate
