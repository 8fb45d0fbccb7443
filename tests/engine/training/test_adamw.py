"""Our AdamW is torch's, update for update, with FusedAdam's form of state."""

from __future__ import annotations

import copy

import pytest
import torch

from worker.engine.training.adamw import AdamW


def test_it_updates_as_torch_does() -> None:
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(5, 3)), torch.nn.Parameter(torch.randn(4))]
    theirs = [torch.nn.Parameter(parameter.detach().clone()) for parameter in ours]
    settings = {"betas": (0.9, 0.95), "eps": 1e-8}
    our_adamw = AdamW([{"params": ours[:1], "weight_decay": 0.1}, {"params": ours[1:]}], **settings)
    their_adamw = torch.optim.AdamW(
        [{"params": theirs[:1], "weight_decay": 0.1}, {"params": theirs[1:], "weight_decay": 0.0}], **settings
    )
    for step in range(20):
        for adamw in (our_adamw, their_adamw):
            for group in adamw.param_groups:
                group["lr"] = 0.01 * (step + 1)
        for our, their in zip(ours, theirs, strict=True):
            our.grad = torch.randn_like(our)
            their.grad = our.grad.clone()
        our_adamw.step()
        their_adamw.step()
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, atol=1e-7, rtol=1e-6)


def test_the_step_count_belongs_to_the_group_and_survives_saving() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    adamw = AdamW([parameter])
    parameter.grad = torch.ones(2)
    adamw.step()
    assert adamw.param_groups[0]["step"] == 1
    assert set(adamw.state[parameter]) == {"exp_avg", "exp_avg_sq"}
    again = AdamW([torch.nn.Parameter(torch.ones(2))])
    again.load_state_dict(copy.deepcopy(adamw.state_dict()))
    assert again.param_groups[0]["step"] == 1


def test_what_it_does_not_compute_is_refused() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match="only AdamW"):
        AdamW([parameter], adam_w_mode=False)
    with pytest.raises(ValueError, match="closures"):
        AdamW([parameter]).step(lambda: 0.0)
