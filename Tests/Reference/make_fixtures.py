#!/usr/bin/env python3
"""Make what the tests compare with: photos in every shape, and what Pillow, ONNX Runtime and OpenVINO
make of them.

Everything is made from real photos, at test time, by the libraries themselves; nothing of it is in git.

    usage: make_fixtures.py PHOTOS MODEL_FOLDER FIXTURES

FIXTURES/imaging.json    [{file, picture, width, height, shortSide, filter, tolerance}]: a photo, and the
                         RGB bytes that Pillow makes of it for a model of that shape
FIXTURES/embeddings.json [{photo, reference, onnxRuntime}]: for each photo, the unit vector of Pillow and
                         OpenVINO, and for some that of ONNX Runtime
"""

import io
import json
import pathlib
import shutil
import sys
import tomllib

import numpy as np
from PIL import Image, ImageOps

PHOTOS_FOR_IMAGING = 3
PHOTOS_FOR_ONNX_RUNTIME = 40
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def upright_rgb(image):
    """What a person sees: turned as EXIF says, transparency over white, 8 bits."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image, np.uint32) / 257 + 0.5).astype(np.uint8))
    if "transparency" in image.info or "A" in image.mode:
        image = image.convert("RGBA")
        # Exact arithmetic, rounded once: Pillow's own compositing rounds twice.
        levels = np.asarray(image, np.uint32)
        colour, alpha = levels[..., :3], levels[..., 3:]
        return Image.fromarray(((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8))
    return image.convert("RGB")


def model_picture(image, width, height, short_side, resample):
    """Resize the short side (0: stretch), then the centre crop, as torchvision computes both."""
    if short_side == 0:
        return image.resize((width, height), resample)
    full_width, full_height = image.size
    short = min(full_width, full_height)
    size = (int(short_side * full_width / short), int(short_side * full_height / short))
    image = image.resize(size, resample)
    left, top = int(round((size[0] - width) / 2.0)), int(round((size[1] - height) / 2.0))
    return image.crop((left, top, left + width, top + height))


class ImagingFixtures:
    def __init__(self, folder):
        self.folder = folder
        self.cases = []
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def add(self, name, data, seen=None, width=224, height=224, short_side=256, filter="bicubic", tolerance=0):
        """A file with these bytes; `seen` is what it looks like, where Pillow does not say so itself."""
        (self.folder / name).write_bytes(data)
        seen = seen or upright_rgb(Image.open(io.BytesIO(data)))
        picture = model_picture(seen, width, height, short_side, FILTERS[filter])
        expected = f"{name}.{filter}-{width}x{height}-{short_side}.rgb"
        (self.folder / expected).write_bytes(picture.tobytes())
        self.cases.append(
            dict(file=name, picture=expected, width=width, height=height, shortSide=short_side, filter=filter, tolerance=tolerance)
        )


def encoded(image, format, **options):
    data = io.BytesIO()
    image.save(data, format, **options)
    return data.getvalue()


def imaging_fixtures(photos, folder):
    fixtures = ImagingFixtures(folder)
    for index, path in enumerate(photos[:PHOTOS_FOR_IMAGING]):
        for filter in FILTERS:
            fixtures.add(f"photo-{index}.jpg", encoded(upright_rgb(Image.open(path)), "JPEG", quality=92), filter=filter)
        fixtures.add(f"photo-{index}.jpg", (folder / f"photo-{index}.jpg").read_bytes(), short_side=0)
        fixtures.add(f"photo-{index}.jpg", (folder / f"photo-{index}.jpg").read_bytes(), width=96, height=64, short_side=100, tolerance=24)

    photo = upright_rgb(Image.open(photos[0]))
    small = photo.resize((90, 120))
    fixtures.add("small.png", encoded(small, "PNG"))
    fixtures.add("extremely-wide.png", encoded(photo.resize((900, 3)), "PNG"))
    fixtures.add("one-pixel.png", encoded(photo.resize((1, 1)), "PNG"))

    # JPEG in its varieties.
    fixtures.add("progressive.jpg", encoded(photo, "JPEG", progressive=True))
    fixtures.add("grey.jpg", encoded(photo.convert("L"), "JPEG"))
    fixtures.add("444.jpg", encoded(photo, "JPEG", subsampling=0))
    fixtures.add("restart.jpg", encoded(photo, "JPEG", restart_marker_blocks=3))
    # Four colours as Adobe writes them, inverted; what they look like is Pillow's own conversion back.
    cmyk = encoded(photo.convert("CMYK"), "JPEG", quality=95)
    fixtures.add("cmyk.jpg", cmyk, tolerance=2)
    fixtures.add("jpeg-called.png", encoded(photo, "JPEG"))

    # A scaled decode (here, and above for the small shape) averages in another way than Pillow does on all
    # pixels; it must stay close.
    large = photo.resize((photo.width * 4, photo.height * 4), Image.Resampling.LANCZOS)
    fixtures.add("large.jpg", encoded(large, "JPEG", quality=92), tolerance=24)

    # PNG in its varieties.
    fixtures.add("rgb.png", encoded(photo, "PNG"))
    fixtures.add("grey.png", encoded(photo.convert("L"), "PNG"))
    fixtures.add("palette.png", encoded(photo.quantize(64), "PNG"))
    fixtures.add("one-bit.png", encoded(photo.convert("1"), "PNG"))
    fixtures.add("png-called.jpg", encoded(photo, "PNG"))
    levels = np.asarray(photo.convert("L"), np.uint16) * 257
    fixtures.add("grey-16-bit.png", encoded(Image.fromarray(levels), "PNG"), seen=upright_rgb(photo.convert("L")), tolerance=1)
    alpha = Image.linear_gradient("L").resize(photo.size)
    transparent = photo.copy()
    transparent.putalpha(alpha)
    fixtures.add("transparent.png", encoded(transparent, "PNG"))
    fixtures.add("grey-transparent.png", encoded(transparent.convert("LA"), "PNG"))
    quantized = photo.quantize(16)
    fixtures.add("palette-transparent.png", encoded(quantized, "PNG", transparency=3))

    # WebP.
    fixtures.add("lossless.webp", encoded(photo, "WEBP", lossless=True))
    fixtures.add("transparent.webp", encoded(transparent, "WEBP", lossless=True, exact=True))
    # libwebp's own versions differ by a level in upsampling.
    fixtures.add("lossy.webp", encoded(photo, "WEBP", quality=90), tolerance=3)

    # The eight orientations, stored so that each looks like the photo.
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        fixtures.add(f"orientation-{orientation}.jpg", encoded(photo, "JPEG", exif=exif, quality=95, subsampling=0))
        fixtures.add(f"orientation-{orientation}.png", encoded(small, "PNG", exif=exif))
        fixtures.add(f"orientation-{orientation}.webp", encoded(small, "WEBP", lossless=True, exif=exif))
    (folder.parent / "imaging.json").write_text(json.dumps(fixtures.cases))

    # Files that must be refused.
    broken = folder.parent / "broken"
    shutil.rmtree(broken, ignore_errors=True)
    broken.mkdir()
    for format, name in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")):
        whole = encoded(photo, format)
        (broken / f"half.{name}").write_bytes(whole[: len(whole) // 2])
        (broken / f"header-only.{name}").write_bytes(whole[:24])
    (broken / "progressive-half.jpg").write_bytes((lambda b: b[: len(b) // 2])(encoded(photo, "JPEG", progressive=True)))
    (broken / "noise.jpg").write_bytes(np.random.default_rng(7).bytes(4096))
    (broken / "animation.gif").write_bytes(encoded(small, "GIF"))
    (broken / "scan.tiff").write_bytes(encoded(small, "TIFF"))


def embedding_fixtures(photos, root, model_folder, file):
    import onnxruntime
    import openvino

    manifest = tomllib.loads((model_folder / "manifest.toml").read_text())
    model, resize, output = manifest["input"], manifest["resize"], manifest["output"]["name"]
    network = model_folder / manifest["model"]["file"]
    compiled = openvino.Core().compile_model(str(network), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])

    def tensor(path):
        picture = model_picture(
            upright_rgb(Image.open(path)), model["width"], model["height"], resize["short_side"], FILTERS[resize["filter"]]
        )
        levels = (np.asarray(picture, np.float32) - np.float32(model["mean"])) / np.float32(model["scale"])
        return np.ascontiguousarray(levels.transpose(2, 0, 1)[None])

    def unit(vector):
        return (vector / np.linalg.norm(vector)).astype(float).tolist()

    cases = []
    for index, path in enumerate(photos):
        values = tensor(path)
        case = dict(photo=path.relative_to(root).as_posix(), reference=unit(compiled(values)[output][0]))
        if index % max(1, len(photos) // PHOTOS_FOR_ONNX_RUNTIME) == 0:
            case["onnxRuntime"] = unit(session.run([output], {model["name"]: values})[0][0])
        cases.append(case)
    file.write_text(json.dumps(cases))


def main():
    root, model_folder, fixtures = (pathlib.Path(argument) for argument in sys.argv[1:])
    photos = sorted(path for path in root.rglob("*") if path.suffix.lower() in (".jpg", ".png"))
    # One of each folder first, so that a few stand for many.
    first = {path.parent: path for path in reversed(photos)}
    imaging_fixtures(sorted(first.values()), fixtures / "imaging")
    embedding_fixtures(photos, root, model_folder, fixtures / "embeddings.json")


if __name__ == "__main__":
    main()
