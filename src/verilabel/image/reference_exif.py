"""EXIF that Pillow writes and reads, for exif_test.

reference_exif.py FOLDER     writes images with random EXIF in both byte orders, and values.txt: a line FILE, then lines NAME VALUE
                             of what Pillow reads from it, then a blank line
"""

import random
import sys
from pathlib import Path

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

TAG, GPS, IFD = ExifTags.Base, ExifTags.GPS, ExifTags.IFD


def angle(numbers, side):
    degrees, minutes, seconds = map(float, numbers)
    return (degrees + minutes / 60 + seconds / 3600) * (1 if side in "NE" else -1)


def make(chance: random.Random) -> Image.Exif:
    exif = Image.Exif()
    exif.endian = chance.choice("<>")
    exif[TAG.Make] = chance.choice(["Canon", "NIKON CORPORATION", "Ab"])
    exif[TAG.Model] = chance.choice(["Canon EOS 5D Mark III", "D700", "X", "ABC"])
    exif[TAG.Orientation] = chance.randint(1, 8)
    exif[TAG.Software] = "darktable 4.6 " * chance.randint(1, 40)
    inside = exif.get_ifd(IFD.Exif)
    inside[TAG.ExposureTime] = IFDRational(1, chance.randint(1, 8000))
    inside[TAG.FNumber] = IFDRational(chance.randint(10, 220), 10)
    inside[TAG.ISOSpeedRatings] = chance.choice([50, 100, 12800])
    inside[TAG.FocalLength] = IFDRational(chance.randint(8, 6000), 10)
    inside[TAG.Flash] = chance.choice([0, 1, 16, 25])
    inside[TAG.LensModel] = "EF24-70mm f/2.8L II USM"
    inside[TAG.DateTimeOriginal] = f"20{chance.randint(10, 30)}:{chance.randint(1, 12):02}:{chance.randint(1, 28):02} 22:01:02"
    inside[TAG.OffsetTimeOriginal] = chance.choice(["+02:00", "-05:30"])
    inside[TAG.MakerNote] = chance.randbytes(500)
    place = exif.get_ifd(IFD.GPSInfo)
    for tag, side_tag, sides, highest in ((GPS.GPSLatitude, 1, "NS", 89), (GPS.GPSLongitude, 3, "EW", 179)):
        place[side_tag] = chance.choice(sides)
        place[tag] = (chance.randint(0, highest), chance.randint(0, 59), IFDRational(chance.randint(0, 5999), 100))
    place[GPS.GPSAltitudeRef] = chance.choice([b"\0", b"\1"])
    place[GPS.GPSAltitude] = IFDRational(chance.randint(0, 9_000_000), 1000)
    exif[IFD.Exif] = exif[IFD.GPSInfo] = 0  # without a place for them, TIFF files get no such directories
    return exif


def values(path: Path):
    exif = Image.open(path).getexif()
    inside, place = exif.get_ifd(IFD.Exif), exif.get_ifd(IFD.GPSInfo)
    yield "make", exif[TAG.Make]
    yield "model", exif[TAG.Model]
    yield "software", exif[TAG.Software].strip()
    yield "orientation", exif[TAG.Orientation]
    yield "lens", inside[TAG.LensModel]
    date, clock = inside[TAG.DateTimeOriginal].split(" ")
    yield "captured_at", date.replace(":", "-") + "T" + clock + inside[TAG.OffsetTimeOriginal]
    yield "exposure_s", repr(float(inside[TAG.ExposureTime]))
    yield "f_number", repr(float(inside[TAG.FNumber]))
    yield "iso", repr(float(inside[TAG.ISOSpeedRatings]))
    yield "focal_length_mm", repr(float(inside[TAG.FocalLength]))
    yield "flash", inside[TAG.Flash] & 1
    yield "latitude_deg", repr(angle(place[GPS.GPSLatitude], place[GPS.GPSLatitudeRef]))
    yield "longitude_deg", repr(angle(place[GPS.GPSLongitude], place[GPS.GPSLongitudeRef]))
    yield "altitude_m", repr(float(place[GPS.GPSAltitude]) * (-1 if place[GPS.GPSAltitudeRef] == b"\1" else 1))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    chance = random.Random(5)
    lines = []
    for kind in ("jpg", "png", "webp", "tif"):
        for number in range(25):
            path = folder / f"{number}.{kind}"
            Image.new("RGB", (6, 4), (200, 90, 30)).save(path, exif=make(chance))
            lines += [path.name, *(f"{name} {value}" for name, value in values(path)), ""]
    (folder / "values.txt").write_text("\n".join(lines))
