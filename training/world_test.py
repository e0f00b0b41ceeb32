"""What is read of a world that the program draws. Needs the program (VERILABEL_PROGRAM) and requirements.txt; skipped without."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

try:
    import numpy as np
    import world
    from pycocotools import mask as mask_utils
except ImportError:
    world = None


@unittest.skipIf(world is None or "VERILABEL_PROGRAM" not in os.environ, "no VERILABEL_PROGRAM, or not what requirements.txt lists")
class Reads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, scratch)
        folders = [scratch / "one", scratch / "two"]
        for seed, folder in enumerate(folders):
            command = [os.environ["VERILABEL_PROGRAM"], "demo", "create", folder, "--images", "8", "--seed", str(seed)]
            subprocess.run(command, check=True, capture_output=True)
        cls.world = world.World(folders)

    def test_truth(self):
        self.assertEqual((len(self.world.pictures), len(self.world.kinds)), (16, 40))
        self.assertEqual(set(self.world.values), {"color", "pattern", "size"})
        self.assertEqual(sum(map(len, self.world.things_of)), len(self.world.things))
        for thing in self.world.things:
            picture = self.world.pictures[thing.image]
            self.assertEqual(thing.mask().shape, (picture.height, picture.width))
            self.assertEqual(mask_utils.toBbox(thing.segmentation).tolist(), list(thing.box_xywh_px))
        for picture in self.world.pictures:
            self.assertTrue(picture.path.is_file())
            self.assertIn(picture.scene, {"street", "park", "harbour", "kitchen", "shelf"})
            self.assertTrue(set(picture.conditions) & {"day", "dusk", "night"})

    def test_kept_images_are_those_made_directly(self):
        makers = {"letterboxed": world.letterboxed, "padded": world.padded}
        for name, make in makers.items():
            kept, again = (getattr(self.world, name)(96) for _ in range(2))
            self.assertEqual((len(kept), len(again)), (16, 16))
            for number in (0, 9, 15):
                direct = make(world.read_rgb(self.world.pictures[number].path), 96)
                self.assertTrue(np.array_equal(kept[number], direct) and np.array_equal(again[number], direct))

    def test_crops_are_found_by_thing(self):
        crops, rows = self.world.crops(), self.world.row_of_crop
        self.assertEqual(len(crops), len(self.world.things))
        for number in (0, len(rows) // 2, len(rows) - 1):
            thing = self.world.things[number]
            image = world.read_rgb(self.world.pictures[thing.image].path)
            self.assertTrue(np.array_equal(crops[rows[number]], world.crop(image, thing.box_xywh_px)))

    def test_letterbox_keeps_shape(self):
        scale, left, top = world.letterbox_of(640, 426, 384)
        self.assertEqual((round(scale, 4), left, top), (0.6, 0, 64))
        canvas = world.letterboxed(np.zeros((426, 640, 3), np.uint8), 384)
        self.assertTrue((canvas[:64] == 114).all() and (canvas[64:319] == 0).all() and (canvas[319:] == 114).all())


if __name__ == "__main__":
    unittest.main()
