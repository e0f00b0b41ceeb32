"""A run that is killed and goes on gives what one run gives. Needs PyTorch; skipped without."""

import pathlib
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

    def run_to(self, name, stop_at, seed=1):
        settings = {"seed": seed, "steps": 12, "batch": 4, "rate": 0.01, "minutes": 10, "stop_at": stop_at}
        options = types.SimpleNamespace(out=self.folder / name, **settings)
        torch.manual_seed(seed)
        model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 1))

        def losses_of(rng):
            x = torch.from_numpy(rng.normal(size=(4, 3))).float()
            return {"fit": (model(x)[:, 0] - x.sum(1)).square().mean()}

        run = loop.Run(options, loop.Schedule(12, 4, 0.01, rise=2), model, {"of": "a test"})
        run.go(losses_of)
        return run

    def test_goes_on_as_if_nothing_had_happened(self):
        whole = self.run_to("whole", None)
        self.run_to("parts", 5)
        again = self.run_to("parts", None)
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
