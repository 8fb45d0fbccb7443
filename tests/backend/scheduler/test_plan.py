"""What a plan must never do, over random clusters and queues; the rules by example are in test_placement.py."""

from __future__ import annotations

import random
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.scheduler.order import Waiting
from backend.scheduler.plan import Holding, Plan, Room, make_plan


def waiting(number: int, num_devices: int, priority: int = 0, preemptible: bool = False) -> Waiting:
    return Waiting(f"job{number}", "anna", priority, float(number), "cuda", num_devices, preemptible)


@st.composite
def rooms(draw: st.DrawFn) -> list[Room]:
    """Hosts of one pool whose devices are held at random, never more than there are."""
    made = []
    for number in range(draw(st.integers(1, 4))):
        total = draw(st.integers(1, 8))
        holdings: list[Holding] = []
        for size in draw(st.lists(st.integers(1, 8), max_size=4)):
            if sum(holding.num_devices for holding in holdings) + size <= total:
                holdings.append(draw(_holding(f"held{number}-{len(holdings)}", size)))
        made.append(Room(f"host{number}", "cuda", total, tuple(holdings)))
    return made


def _holding(job_id: str, size: int) -> st.SearchStrategy[Holding]:
    age, priority, flag = st.floats(0, 100), st.integers(-1, 1), st.booleans()
    return st.builds(Holding, st.just(job_id), st.just(size), age, priority, flag, flag)


@st.composite
def queues(draw: st.DrawFn) -> list[Waiting]:
    asked = draw(st.lists(st.tuples(st.integers(1, 10), st.integers(-1, 1), st.booleans()), max_size=12))
    jobs = [waiting(number, *each) for number, each in enumerate(asked)]
    return sorted(jobs, key=lambda job: (-job.priority, job.created_at))


@given(queues(), rooms())
@settings(max_examples=100, deadline=None)
def test_every_job_gets_all_its_devices_on_one_host_or_none_and_no_device_is_given_twice(
    queue: list[Waiting], cluster: list[Room]
) -> None:
    plan = make_plan(queue, cluster)
    asked = {job.job_id: job.num_devices for job in queue}
    assert all(each.num_devices == asked[each.job_id] for each in plan.placements)
    assert len({each.job_id for each in plan.placements}) == len(plan.placements)
    given_out: dict[str, int] = defaultdict(int)
    for each in plan.placements:
        given_out[each.host] += each.num_devices
    assert all(given_out[room.host] <= room.free for room in cluster)


@given(queues(), rooms())
@settings(max_examples=100, deadline=None)
def test_a_job_is_passed_over_only_where_there_was_no_room_for_it(queue: list[Waiting], cluster: list[Room]) -> None:
    """The reference: the queue is walked again, and the first job left over must have found every host too full."""
    plan = make_plan(queue, cluster)
    host_of = {each.job_id: each.host for each in plan.placements}
    free = {room.host: room.free for room in cluster}
    most = max(room.num_devices for room in cluster)
    for job in queue:
        if job.job_id in host_of:
            free[host_of[job.job_id]] -= job.num_devices
        elif job.num_devices <= most:
            assert all(job.num_devices > left for left in free.values())
            assert [kept.head for kept in plan.kept] == [job]
            return
    assert plan.kept == ()


@given(queues(), rooms())
@settings(max_examples=100, deadline=None)
def test_only_what_is_preemptible_and_of_lower_priority_is_preempted_and_no_more_than_needed(
    queue: list[Waiting], cluster: list[Room]
) -> None:
    plan = make_plan(queue, cluster)
    for kept in plan.kept:
        assert all(each.preemptible and each.priority < kept.head.priority for each in kept.preempts)
        if not kept.preempts:
            continue
        room = next(room for room in cluster if room.host == kept.host)
        freed = room.free - _given_before(plan, queue, kept.head, room.host)
        freed += sum(each.num_devices for each in room.holdings if each.is_leaving)
        needed = kept.head.num_devices
        without_last = sum(each.num_devices for each in kept.preempts[:-1])
        assert freed + without_last < needed <= freed + sum(each.num_devices for each in kept.preempts)


def _given_before(plan: Plan, queue: list[Waiting], head: Waiting, host: str) -> int:
    earlier = {job.job_id for job in queue[: queue.index(head)]}
    return sum(each.num_devices for each in plan.placements if each.host == host and each.job_id in earlier)


@given(st.integers(1, 4), st.integers(1, 8), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_small_jobs_that_never_cease_do_not_starve_a_large_one(num_hosts: int, num_devices: int, seed: int) -> None:
    """Jobs end at random and new small ones always wait. What the large one waits for may only shrink."""
    chance = random.Random(seed)
    running: dict[str, list[Holding]] = {f"host{number}": [] for number in range(num_hosts)}
    large = Waiting("large", "anna", 0, 0.0, "cuda", num_devices)
    _fill(running, chance)
    still_to_end, moment = 8 * num_hosts, 1.0
    for number in range(400):
        small = [waiting(10 * number + each, chance.randint(1, 4)) for each in range(1, 6)]
        plan = make_plan([large, *small], [Room(host, "cuda", 8, tuple(held)) for host, held in running.items()])
        if "large" in {each.job_id for each in plan.placements}:
            return
        [kept] = plan.kept
        assert kept.waits_for, "it waits for nothing and is not placed"
        to_end = sum(holding.num_devices for holding in kept.waits_for)
        assert to_end <= still_to_end
        still_to_end = to_end
        for each in plan.placements:
            moment += 1.0
            running[each.host].append(Holding(each.job_id, each.num_devices, moment))
        for host, held in running.items():
            running[host] = [holding for holding in held if chance.random() < 0.8]
    raise AssertionError("the large job was never placed")


def _fill(running: dict[str, list[Holding]], chance: random.Random) -> None:
    for host, held in running.items():
        while (free := 8 - sum(holding.num_devices for holding in held)) > 0:
            held.append(Holding(f"{host}-{len(held)}", chance.randint(1, free), chance.random()))


def test_devices_that_the_head_does_not_need_are_given_out() -> None:
    """It needs 6 of 8 and waits for the 4 of the older; the younger one's 2 stay in use, so nothing is to spare."""
    held = (Holding("older", 4, placed_at=1.0), Holding("younger", 2, placed_at=2.0))
    tight = make_plan([waiting(1, 6), waiting(2, 1)], [Room("box", "cuda", 8, held)])
    assert ([each.job_id for each in tight.kept[0].waits_for], tight.kept[0].spare) == (["older"], 0)
    assert tight.placements == ()
    roomy = make_plan([waiting(1, 5), waiting(2, 1), waiting(3, 1)], [Room("box", "cuda", 8, held)])
    assert [each.job_id for each in roomy.placements] == ["job2"]


def test_a_preemptible_job_of_lower_priority_may_borrow_what_is_kept() -> None:
    held = (Holding("older", 1, placed_at=1.0),)
    queue = [waiting(1, 8, priority=1), waiting(2, 1), waiting(3, 1, priority=-1, preemptible=True)]
    plan = make_plan(queue, [Room("box", "cuda", 8, held)])
    assert [each.job_id for each in plan.placements] == ["job3"]
    again = make_plan(queue[:2], [Room("box", "cuda", 8, (*held, Holding("job3", 1, 2.0, -1, preemptible=True)))])
    assert [each.job_id for each in again.kept[0].waits_for] == ["older"]
    assert again.kept[0].preempts == ()


def test_what_is_leaving_already_is_waited_for_before_anything_else_is_preempted() -> None:
    leaving = Holding("leaving", 4, 1.0, -1, preemptible=True, is_leaving=True)
    other = Holding("other", 4, 2.0, -1, preemptible=True)
    [kept] = make_plan([waiting(1, 4)], [Room("box", "cuda", 8, (leaving, other))]).kept
    assert (kept.preempts, [each.job_id for each in kept.waits_for]) == ((), ["leaving"])


def test_jobs_of_one_pool_never_wait_for_hosts_of_another() -> None:
    full = Room("cores", "cpu", 4, (Holding("held", 4, 1.0),), takes_whole=True)
    cpu_job = Waiting("cpu-job", "anna", 0, 0.0, "cpu", 1)
    plan = make_plan([cpu_job, waiting(1, 2)], [full, Room("box", "cuda", 2)])
    assert [each.job_id for each in plan.placements] == ["job1"]
    assert [kept.host for kept in plan.kept] == ["cores"]
