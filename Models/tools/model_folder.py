"""What the export scripts share: the test card, and writing a model's folder."""

import hashlib
import pathlib
import re

import numpy as np
from PIL import Image

GOLDEN_VALUES = 32


def test_card():
    """The picture on which golden values are measured; Sources/Embedding/TestCard.swift makes the same."""
    width, height, square = 320, 240, 16
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    levels = np.empty((height, width, 3), np.uint8)
    levels[..., 0] = x * 255 // (width - 1)
    levels[..., 1] = y * 255 // (height - 1)
    levels[..., 2] = (x // square + y // square) % 2 * 255
    return Image.fromarray(levels)


def write(folder, template, network, vector, source=None):
    """Writes a network and its manifest into a folder.

    - template: the manifest without SHA-256 and golden values.
    - network: the bytes of the ONNX file.
    - vector: what the model's own framework gives for the test card.
    - source: where the weights are from, if not as the template says.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = pathlib.Path(template).read_text()
    file = re.search(r'^file = "(.*)"$', text, re.M)
    digest = hashlib.sha256(network).hexdigest()
    text = text.replace(file.group(0), f'{file.group(0)}\nsha256 = "{digest}"')
    if source:
        text = re.sub(r'^source = ".*"$', f'source = "{source}"', text, flags=re.M)
    vector = np.asarray(vector, np.float64).ravel()
    unit = vector / np.linalg.norm(vector)
    values = ", ".join(f"{value:.7f}" for value in unit[:GOLDEN_VALUES])
    text += f"\n[golden]\nvalues = [{values}]\n"
    (folder / file.group(1)).write_bytes(network)
    (folder / "manifest.toml").write_text(text)
