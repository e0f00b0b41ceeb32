"""What every recipe shares: a run of a number of steps that may be killed at any moment and goes on where its last checkpoint was.

A checkpoint holds weights, their moving average, the optimiser, the step and the processor time spent so far. It is written beside
its name and renamed, so that a kill leaves either the old one or the new one. What a step draws depends on seed and step, and
of several processes on which one draws.
"""

import argparse
import copy
import ctypes
import dataclasses
import functools
import math
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed

SAVE_EVERY_S = 120
REPORT_EVERY_S = 20


@dataclasses.dataclass
class Schedule:
    """A short rise of the learning rate, then half a cosine down to a hundredth. With `again` the same once more from that step on,
    to 0.6 of the rate (warm restarts: Loshchilov and Hutter, 2017)."""

    steps: int
    batch: int
    rate: float
    decay: float = 0.05
    rise: int = 200
    again: int | None = None

    def rate_at(self, step):
        begin, end, rate = 0, self.steps, self.rate
        if self.again is not None and self.again < self.steps:
            if step >= self.again:
                begin, rate = self.again, 0.6 * self.rate
            else:
                end = self.again
        if step - begin < self.rise:
            return rate * (step - begin + 1) / self.rise
        share = (step - begin - self.rise) / max(1, end - begin - self.rise)
        return rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


def arguments(description, out, schedule):
    """The command line of a recipe."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("worlds", nargs="+", type=Path, help="folders that `verilabel demo create` made, to learn from")
    parser.add_argument("--out", type=Path, default=Path(out), help="folder of the checkpoint; a run goes on from the one there")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=schedule.steps)
    parser.add_argument("--batch", type=int, default=schedule.batch)
    parser.add_argument("--rate", type=float, default=schedule.rate, help="greatest learning rate")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=150, help="processor minutes after which the run stops, finished or not")
    parser.add_argument("--stop-at", type=int, help="pause at this step of the schedule; the next call goes on")
    return parser


def keep_memory():
    """Keeps what glibc would give back to the system after every step and have to fault in again: a fifth of a step's time."""
    if sys.platform == "linux":
        mmap_max, trim_threshold = -4, -1
        libc = ctypes.CDLL(None)
        for parameter, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1)):
            libc.mallopt(parameter, value)


def write_atomically(content, path):
    temporary = path.with_suffix(".partial")
    torch.save(content, temporary)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def parameter_groups(model, decay):
    """Weights of matrices decay, biases, factors and means do not."""
    wide = [one for one in model.parameters() if one.requires_grad and one.ndim > 1]
    narrow = [one for one in model.parameters() if one.requires_grad and one.ndim <= 1]
    return [{"params": wide, "weight_decay": decay}, {"params": narrow, "weight_decay": 0.0}]


Adam = functools.partial(torch.optim.AdamW, betas=(0.9, 0.99))


class Average:
    """The moving average of weights, which is what is exported."""

    def __init__(self, model, steps):
        self.model = copy.deepcopy(model).eval()
        for one in self.model.parameters():
            one.requires_grad_(False)
        self.horizon = max(50, min(1000, steps // 20))

    @torch.no_grad()
    def update(self, model, step):
        keep = min(1 - 1 / self.horizon, (1 + step) / (10 + step))
        for ours, theirs in zip(self.model.state_dict().values(), model.state_dict().values()):
            if ours.is_floating_point():
                ours.lerp_(theirs, 1 - keep)
            else:
                ours.copy_(theirs)


def nearly_orthogonal(matrix):
    """[M, N] whose singular values are brought near 1, by five steps of a polynomial of Newton and Schulz's kind."""
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class Muon(torch.optim.Optimizer):
    """Weights of matrices and convolutions go along the mean of their gradients made orthogonal (Jordan et al., 2024), as far as
    Adam would go (Liu et al., 2025); biases, factors and means by Adam."""

    def __init__(self, groups, lr, momentum=0.95, betas=(0.9, 0.99)):
        super().__init__(groups, {"lr": lr, "momentum": momentum, "betas": betas, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for one in group["params"]:
                if one.grad is not None:
                    one.mul_(1 - group["lr"] * group["weight_decay"])
                    one.add_((self.orthogonal if one.ndim > 1 else self.adam)(one, group), alpha=-group["lr"])

    def orthogonal(self, one, group):
        state = self.state[one]
        mean = state.setdefault("mean", torch.zeros_like(one)).lerp_(one.grad, 1 - group["momentum"])
        matrix = one.grad.lerp(mean, group["momentum"]).reshape(len(one), -1)
        return (nearly_orthogonal(matrix) * (0.2 * math.sqrt(max(matrix.shape)))).view(one.shape)

    def adam(self, one, group):
        state = self.state[one]
        state["step"] = state.get("step", 0) + 1
        keep, keep_square = group["betas"]
        mean = state.setdefault("mean", torch.zeros_like(one)).lerp_(one.grad, 1 - keep)
        square = state.setdefault("square", torch.zeros_like(one)).lerp_(one.grad.square(), 1 - keep_square)
        size = (square / (1 - keep_square ** state["step"])).sqrt() + 1e-8
        return mean / (1 - keep ** state["step"]) / size


class Team:
    """The processes among which `torch.distributed.run` divides a run, or this one alone. Each draws its share of the batch, and
    all go the same step. Means and variances of normalisation are those of each process's share; kept are the first one's."""

    def __init__(self):
        self.size, self.number = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        if self.size > 1 and not torch.distributed.is_initialized():
            torch.distributed.init_process_group("gloo")

    def mean(self, tensors):
        """Puts the mean over the processes into each of the tensors."""
        if self.size == 1:
            return
        flat = torch.cat([one.reshape(-1) for one in tensors])
        torch.distributed.all_reduce(flat)
        for one, part in zip(tensors, flat.div_(self.size).split([one.numel() for one in tensors])):
            one.copy_(part.view_as(one))


class Run:
    """`schedule`: the recipe's own; steps, batch and rate are those of `options`. `facts`: what the model is made with, kept in the
    checkpoint, so that export and evaluation need nothing else."""

    def __init__(self, options, schedule, model, facts, optimiser=Adam):
        schedule = dataclasses.replace(schedule, steps=options.steps, batch=options.batch, rate=options.rate)
        self.options, self.schedule, self.model, self.facts = options, schedule, model, facts
        self.path = options.out / "checkpoint.pt"
        self.average = Average(model, schedule.steps)
        self.optimiser = optimiser(parameter_groups(model, schedule.decay), lr=schedule.rate)
        self.team = Team()
        self.settings = {"seed": options.seed, "steps": options.steps, "batch": options.batch, "rate": options.rate}
        self.settings["processes"] = self.team.size
        if options.batch % self.team.size:
            raise SystemExit(f"{self.team.size} processes cannot share a batch of {options.batch} evenly")
        self.step = 0
        self.earlier_cpu_s = self.cpu_s = 0.0
        self.is_asked_to_stop = False
        options.out.mkdir(parents=True, exist_ok=True)
        if self.path.is_file():
            self.resume()

    def resume(self):
        saved = torch.load(self.path, weights_only=True)
        for name, value in (self.settings | {"facts": self.facts}).items():
            there = saved["facts"] if name == "facts" else saved["settings"].get(name, value)
            if there != value:
                raise SystemExit(f"{self.path} was made with other {name}: give the same ones, or another --out")
        self.model.load_state_dict(saved["weights"])
        self.average.model.load_state_dict(saved["average"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.step, self.earlier_cpu_s = saved["step"], saved["cpu_s"]
        self.cpu_s = self.earlier_cpu_s
        self.say(f"goes on from {self.path}: step {self.step:,}, {self.cpu_s / 60:.1f} processor minutes so far")

    def say(self, line):
        if self.team.number == 0:
            print(line, flush=True)

    @property
    def batch(self):
        """Images that this process draws for a step."""
        return self.options.batch // self.team.size

    def save(self):
        if self.team.number != 0:
            return
        content = {
            "weights": self.model.state_dict(), "average": self.average.model.state_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step, "cpu_s": self.cpu_s, "settings": self.settings,
            "facts": self.facts,
        }  # fmt: skip
        write_atomically(content, self.path)

    def go(self, losses_of):
        """`losses_of(rng)`: the losses of one batch by name, drawn with a generator of numpy; their sum is made smaller."""
        keep_memory()
        signal.signal(signal.SIGTERM, self.ask_to_stop)
        signal.signal(signal.SIGINT, self.ask_to_stop)
        last = self.schedule.steps if self.options.stop_at is None else min(self.options.stop_at, self.schedule.steps)
        began, began_at, reported, saved = time.monotonic(), self.step, time.monotonic(), time.monotonic()
        sums, count = {}, 0
        self.model.train()
        is_last = self.step >= last
        draws = [self.options.seed] if self.team.size == 1 else [self.options.seed, self.team.number]
        while not is_last:
            for group in self.optimiser.param_groups:
                group["lr"] = self.schedule.rate_at(self.step)
            torch.manual_seed(self.options.seed * 1_000_003 + self.step)
            losses = losses_of(np.random.default_rng([*draws, self.step]))
            total = sum(losses.values())
            if not torch.isfinite(total):
                raise SystemExit(f"step {self.step}: the loss is {total.item()}: {losses}")
            self.optimiser.zero_grad(set_to_none=True)
            total.backward()
            # What all processes must agree on goes with the gradients.
            told = torch.tensor([time.process_time(), float(self.is_asked_to_stop)])
            self.team.mean([one.grad for one in self.model.parameters() if one.grad is not None] + [told])
            self.cpu_s = self.earlier_cpu_s + self.team.size * told[0].item()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 10.0)
            self.optimiser.step()
            self.average.update(self.model, self.step)
            self.step += 1
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value.item()
            count += 1
            now = time.monotonic()
            if now - reported >= REPORT_EVERY_S or self.step == last:
                rate = (self.step - began_at) / (now - began)
                words = ", ".join(f"{name} {value / count:.4f}" for name, value in sums.items())
                self.say(
                    f"step {self.step:,} of {self.schedule.steps:,}: {words}; {rate * self.schedule.batch:.1f} images/s,"
                    f" {(self.schedule.steps - self.step) / rate / 60:.0f} min left, {self.cpu_s / 60:.1f} processor minutes"
                )
                sums, count, reported = {}, 0, now
            if now - saved >= SAVE_EVERY_S:
                self.save()
                saved = time.monotonic()
            is_last = self.step >= last or told[1] > 0
            if self.cpu_s > 60 * self.options.minutes:
                self.say(f"stops: {self.options.minutes:g} processor minutes are spent")
                is_last = True
        self.save()

    def ask_to_stop(self, *_):
        self.is_asked_to_stop = True


def load(path, make):
    """The average of the weights of a checkpoint in the network that `make(facts)` builds, and the checkpoint without weights."""
    saved = torch.load(path / "checkpoint.pt" if path.is_dir() else path, weights_only=True)
    model = make(saved["facts"])
    model.load_state_dict(saved["average"])
    model.eval()
    return model, {name: saved[name] for name in ("step", "cpu_s", "settings", "facts")}
