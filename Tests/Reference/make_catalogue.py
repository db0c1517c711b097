#!/usr/bin/env python3
"""Make the catalogue that the tests work on: ten categories of real photographs, each of a single thing on white, as a
shop would take them.

    usage: make_catalogue.py STAMPS CATALOGUE

CATALOGUE/<category>/<category>-NNN.jpg    400 pixels on the long side, numbered in the order of the stamps' names
"""

import pathlib
import sys

from PIL import Image

LONG_SIDE = 400
# What tests take of a category is at most its first 26 photos, and of every category its first 12.
MOST = 36
CATEGORIES = {
    "bird": ["animals/birds"],
    "cattle": ["animals/mammals/bovines"],
    "dish": ["household", "household/dishes", "household/dishes/utensils"],
    "fish": ["animals/fish", "animals/shellfish"],
    "flower": ["plants/flowers"],
    "fruit": ["food/fruit"],
    "mammal": ["animals/mammals", *(f"animals/mammals/{kind}" for kind in (
        "apes", "aquatic", "bears", "camel", "cats", "deer", "dogs", "equines", "rodents"))],
    "tool": ["household/tools", "household/arttools"],
    "vegetable": ["food/vegetables"],
    "vehicle": ["vehicles", *(f"vehicles/{kind}" for kind in (
        "auto", "construction", "cycle", "emergency", "flight", "flight/planes", "masstransit", "race", "ship"))],
}  # fmt: skip


def photograph(stamp):
    image = Image.open(stamp).convert("RGBA")
    scale = LONG_SIDE / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    # Colour and transparency apart: where nothing is seen there may be any colour.
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB").resize(size, Image.Resampling.LANCZOS)


def main():
    stamps, catalogue = (pathlib.Path(argument) for argument in sys.argv[1:])
    for category, folders in CATEGORIES.items():
        photos = [path for folder in folders for path in sorted((stamps / folder).glob("*.png"))]
        if len(photos) < 12:
            raise SystemExit(f"{stamps} has only {len(photos)} photographs for the category {category}; 12 are needed")
        (catalogue / category).mkdir(parents=True)
        for number, path in enumerate(photos[:MOST], 1):
            photograph(path).save(catalogue / category / f"{category}-{number:03}.jpg", "JPEG", quality=92)


if __name__ == "__main__":
    main()
