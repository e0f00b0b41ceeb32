"""What every recipe shares: a run of a number of steps that may be killed at any moment and goes on where its last checkpoint was.

A checkpoint holds weights, their moving average, the optimiser, the step and the processor time spent so far. It is written beside
its name and renamed, so that a kill leaves either the old one or the new one. What a step draws depends on seed and step alone.
"""

import argparse
import copy
import ctypes
import dataclasses
import math
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

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


class Run:
    """`schedule`: the recipe's own; steps, batch and rate are those of `options`. `facts`: what the model is made with, kept in the
    checkpoint, so that export and evaluation need nothing else."""

    def __init__(self, options, schedule, model, facts):
        schedule = dataclasses.replace(schedule, steps=options.steps, batch=options.batch, rate=options.rate)
        self.options, self.schedule, self.model, self.facts = options, schedule, model, facts
        self.path = options.out / "checkpoint.pt"
        self.average = Average(model, schedule.steps)
        self.optimiser = torch.optim.AdamW(parameter_groups(model, schedule.decay), lr=schedule.rate, betas=(0.9, 0.99))
        self.settings = {"seed": options.seed, "steps": options.steps, "batch": options.batch, "rate": options.rate}
        self.step = 0
        self.earlier_cpu_s = 0.0
        self.is_asked_to_stop = False
        options.out.mkdir(parents=True, exist_ok=True)
        if self.path.is_file():
            self.resume()

    def resume(self):
        saved = torch.load(self.path, weights_only=True)
        for name, value in (self.settings | {"facts": self.facts}).items():
            there = saved["facts"] if name == "facts" else saved["settings"][name]
            if there != value:
                raise SystemExit(f"{self.path} was made with other {name}: give the same ones, or another --out")
        self.model.load_state_dict(saved["weights"])
        self.average.model.load_state_dict(saved["average"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.step, self.earlier_cpu_s = saved["step"], saved["cpu_s"]
        print(f"goes on from {self.path}: step {self.step:,}, {self.cpu_s / 60:.1f} processor minutes so far", flush=True)

    @property
    def cpu_s(self):
        return self.earlier_cpu_s + time.process_time()

    def save(self):
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
        while self.step < last and not self.is_asked_to_stop:
            for group in self.optimiser.param_groups:
                group["lr"] = self.schedule.rate_at(self.step)
            torch.manual_seed(self.options.seed * 1_000_003 + self.step)
            losses = losses_of(np.random.default_rng([self.options.seed, self.step]))
            total = sum(losses.values())
            if not torch.isfinite(total):
                raise SystemExit(f"step {self.step}: the loss is {total.item()}: {losses}")
            self.optimiser.zero_grad(set_to_none=True)
            total.backward()
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
                print(
                    f"step {self.step:,} of {self.schedule.steps:,}: {words}; {rate * self.schedule.batch:.1f} images/s,"
                    f" {(self.schedule.steps - self.step) / rate / 60:.0f} min left, {self.cpu_s / 60:.1f} processor minutes",
                    flush=True,
                )
                sums, count, reported = {}, 0, now
            if now - saved >= SAVE_EVERY_S:
                self.save()
                saved = time.monotonic()
            if self.cpu_s > 60 * self.options.minutes:
                print(f"stops: {self.options.minutes:g} processor minutes are spent", flush=True)
                break
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
