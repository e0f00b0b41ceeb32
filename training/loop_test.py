"""A run that is killed and goes on gives what one run gives, several processes give what one gives, and steps are those of the
optimisers that they are named after. Needs PyTorch; skipped without."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import types
import unittest

try:
    import loop
    import torch
except ImportError:
    loop = None


@unittest.skipIf(loop is None, "no PyTorch: see requirements.txt")
class Resume(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())

    def run_to(self, name, stop_at, seed=1, **words):
        settings = {"seed": seed, "steps": 12, "batch": 4, "rate": 0.01, "minutes": 10, "stop_at": stop_at}
        options = types.SimpleNamespace(out=self.folder / name, **settings)
        torch.manual_seed(seed)
        model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 1))

        def losses_of(rng):
            x = torch.from_numpy(rng.normal(size=(4, 3))).float()
            return {"fit": (model(x)[:, 0] - x.sum(1)).square().mean()}

        run = loop.Run(options, loop.Schedule(12, 4, 0.01, rise=2), model, {"of": "a test"}, **words)
        run.go(losses_of)
        return run

    def test_goes_on_as_if_nothing_had_happened(self):
        for optimiser in (loop.Adam, loop.Muon):
            whole = self.run_to(f"{optimiser} whole", None, optimiser=optimiser)
            self.run_to(f"{optimiser} parts", 5, optimiser=optimiser)
            again = self.run_to(f"{optimiser} parts", None, optimiser=optimiser)
            self.assertEqual(again.step, 12)
            self.assertGreater(again.earlier_cpu_s, 0)
            for one, other in zip(whole.average.model.state_dict().values(), again.average.model.state_dict().values()):
                self.assertTrue(torch.equal(one, other))

    def test_refuses_a_checkpoint_of_other_settings(self):
        self.run_to("parts", 5)
        with self.assertRaises(SystemExit):
            self.run_to("parts", None, seed=2)

    def test_a_kill_while_it_writes_leaves_the_checkpoint(self):
        run = self.run_to("parts", 5)
        run.path.with_suffix(".partial").write_bytes(b"half")
        self.assertEqual(self.run_to("parts", 7).step, 7)

    def test_exported_are_the_averages(self):
        run = self.run_to("whole", None)
        model, saved = loop.load(self.folder / "whole", lambda facts: run.model)
        self.assertEqual((saved["step"], saved["facts"]), (12, {"of": "a test"}))
        for one, other in zip(model.state_dict().values(), run.average.model.state_dict().values()):
            self.assertTrue(torch.equal(one, other))


# What each process of a team runs: it draws four numbers of its own and writes its weights.
MEMBER = """
import sys, types, pathlib, torch, loop
out, number, asked_at = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
options = types.SimpleNamespace(out=out / "run", seed=1, steps=6, batch=8, rate=0.01, minutes=10, stop_at=None)
torch.manual_seed(1)
model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 1))
run = loop.Run(options, loop.Schedule(6, 8, 0.01, rise=2), model, {})

def losses_of(rng):
    if (number, run.step) == ("1", asked_at):
        run.ask_to_stop()
    x = torch.from_numpy(rng.normal(size=(run.batch, 3))).float()
    return {"fit": (model(x)[:, 0] - x.sum(1)).square().mean()}

run.go(losses_of)
torch.save([model.state_dict(), run.batch, run.step, run.cpu_s], out / number)
"""


@unittest.skipIf(loop is None, "no PyTorch: see requirements.txt")
class Teams(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())

    def run_members(self, asked_at=-1):
        """What the two processes of a team wrote; the second of them is asked to stop in that step."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
        members = []
        for number in ("0", "1"):
            environment = os.environ | settings | {"RANK": number}
            members.append(subprocess.Popen([sys.executable, "-c", MEMBER, self.folder, number, str(asked_at)], env=environment))
        self.assertEqual([member.wait(100) for member in members], [0, 0])
        return [torch.load(self.folder / str(number), weights_only=True) for number in range(2)]

    def test_all_stop_when_one_is_asked_to_and_go_on_together(self):
        for _, _, step, _ in self.run_members(asked_at=2):
            self.assertEqual(step, 3)
        parts = self.run_members()
        self.folder = pathlib.Path(tempfile.mkdtemp())
        for (one, _, step, _), (other, _, _, _) in zip(parts, self.run_members()):
            self.assertEqual(step, 6)
            for name, values in one.items():
                self.assertTrue(torch.equal(values, other[name]))

    def test_two_processes_go_the_steps_of_one_with_both_batches(self):
        found = self.run_members()
        torch.manual_seed(1)
        model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 1))
        options = types.SimpleNamespace(out=self.folder / "one", seed=1, steps=6, batch=8, rate=0.01, minutes=10, stop_at=None)
        run = loop.Run(options, loop.Schedule(6, 8, 0.01, rise=2), model, {})

        def losses_of(_):
            draws = [loop.np.random.default_rng([1, number, run.step]).normal(size=(4, 3)) for number in range(2)]
            x = torch.from_numpy(loop.np.concatenate(draws)).float()
            return {"fit": (model(x)[:, 0] - x.sum(1)).square().mean()}

        run.go(losses_of)
        for weights, batch, step, cpu_s in found:
            self.assertEqual((batch, step), (4, 6))
            self.assertGreater(cpu_s, 0)
            for name, one in model.state_dict().items():
                torch.testing.assert_close(weights[name], one, rtol=1e-5, atol=1e-6)
        _, saved = loop.load(self.folder / "run", lambda facts: model)
        self.assertEqual(saved["step"], 6)

    def test_a_batch_that_does_not_divide_is_refused(self):
        code = "import os, loop; loop.Team = type('T', (), {'size': 3, 'number': 0});" + MEMBER
        done = subprocess.run([sys.executable, "-c", code, self.folder, "0", "-1"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("3 processes cannot share a batch of 8 evenly", done.stderr)


@unittest.skipIf(loop is None, "no PyTorch: see requirements.txt")
class Steps(unittest.TestCase):
    def both(self, shape, theirs, steps=4):
        """A parameter of the shape after some steps of ours and of theirs, with the same gradients."""
        torch.manual_seed(3)
        ours_at = torch.nn.Parameter(torch.randn(shape))
        theirs_at = torch.nn.Parameter(ours_at.detach().clone())
        ours = loop.Muon([{"params": [ours_at], "weight_decay": 0.1}], lr=0.02)
        theirs = theirs([theirs_at])
        for _ in range(steps):
            ours_at.grad = torch.randn(shape)
            theirs_at.grad = ours_at.grad.clone()
            ours.step()
            theirs.step()
        return ours_at.detach(), theirs_at.detach()

    @unittest.skipIf(loop is None or not hasattr(torch.optim, "Muon"), "this PyTorch has no Muon")
    def test_matrices_go_as_with_muon(self):
        settings = {"lr": 0.02, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
        for shape in ((7, 5), (4, 30), (16, 16)):
            at, expected = self.both(shape, lambda all: torch.optim.Muon(all, **settings))
            # PyTorch counts with 8 bits there: a step is 0.2 x 0.02 a weight.
            self.assertLess((at - expected).abs().max(), 4 * 0.02 * 0.2 * 0.1)

    def test_convolutions_go_as_their_matrices(self):
        at, _ = self.both((6, 3, 3, 3), lambda all: torch.optim.SGD(all))
        flat, _ = self.both((6, 27), lambda all: torch.optim.SGD(all))
        torch.testing.assert_close(at.reshape(6, 27), flat)

    def test_biases_go_as_with_adam(self):
        at, expected = self.both((9,), lambda all: torch.optim.AdamW(all, lr=0.02, betas=(0.9, 0.99), weight_decay=0.1))
        torch.testing.assert_close(at, expected)

    def test_nearly_orthogonal(self):
        for shape in ((8, 20), (20, 8), (12, 12)):
            values = torch.linalg.svdvals(loop.nearly_orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(5))))
            self.assertGreater(values.min(), 0.3)
            self.assertLess(values.max(), 1.3)


@unittest.skipIf(loop is None, "no PyTorch: see requirements.txt")
class Rates(unittest.TestCase):
    def test_rise_and_fall(self):
        rates = [loop.Schedule(1000, 4, 0.5, rise=100).rate_at(step) for step in range(1000)]
        self.assertEqual(max(rates), rates[100])
        self.assertAlmostEqual(rates[99], 0.5)
        self.assertEqual(rates[100:], sorted(rates[100:], reverse=True))
        self.assertAlmostEqual(rates[-1], 0.005, places=4)

    def test_again_rises_and_falls_once_more(self):
        once, twice = loop.Schedule(600, 4, 0.5, rise=100), loop.Schedule(1000, 4, 0.5, rise=100, again=600)
        for step in range(600):
            self.assertEqual(twice.rate_at(step), once.rate_at(step))
        second = [twice.rate_at(step) for step in range(600, 1000)]
        self.assertAlmostEqual(max(second), 0.3)
        self.assertAlmostEqual(second[0], 0.003)
        self.assertAlmostEqual(second[-1], 0.003, places=4)

    def test_again_after_the_end_changes_nothing(self):
        for step in range(500):
            self.assertEqual(loop.Schedule(500, 4, 0.5, again=600).rate_at(step), loop.Schedule(500, 4, 0.5).rate_at(step))


if __name__ == "__main__":
    unittest.main()
