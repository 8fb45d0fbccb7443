"""The lifecycle as a whole: what holds for every pair of states, not a copy of the table."""

from __future__ import annotations

import pytest

from tunedeck.errors import IllegalTransition
from tunedeck.lifecycle import FINAL, HOLDS_DEVICES, NEXT, JobState, check_transition, is_allowed


@pytest.mark.parametrize("state", sorted(FINAL))
def test_only_a_retry_follows_an_end_and_nothing_follows_success(state: JobState) -> None:
    follows = {JobState.QUEUED} if state is not JobState.SUCCEEDED else set()
    for wanted in set(JobState) - follows:
        with pytest.raises(IllegalTransition, match=f"a {state} job cannot become {wanted}"):
            check_transition(state, wanted)


def test_every_state_can_reach_an_end() -> None:
    for state in JobState:
        reached, frontier = {state}, [state]
        while frontier:
            current = frontier.pop()
            fresh = [wanted for wanted in JobState if is_allowed(current, wanted) and wanted not in reached]
            reached.update(fresh)
            frontier.extend(fresh)
        assert reached & FINAL


def test_a_job_is_never_cancelled_while_a_worker_may_still_hold_its_devices() -> None:
    straight_to_cancelled = {state for state in HOLDS_DEVICES if is_allowed(state, JobState.CANCELLED)}
    assert straight_to_cancelled == {JobState.STOPPING}


def test_a_lost_host_sends_the_job_back_to_the_queue() -> None:
    for state in (JobState.PLACING, JobState.STARTING, JobState.RUNNING):
        check_transition(state, JobState.QUEUED)


def test_a_job_leaves_its_devices_only_for_a_state_that_an_attempt_can_end_in() -> None:
    for state in HOLDS_DEVICES:
        left = NEXT[state] - HOLDS_DEVICES
        assert left <= FINAL | {JobState.QUEUED, JobState.PAUSED}


def test_devices_are_given_to_queued_jobs_only() -> None:
    assert {state for state in JobState if is_allowed(state, JobState.PLACING)} == {JobState.QUEUED}
