#!/usr/bin/env python3
"""Make what the tests compare with: photos in every shape, and what Pillow, ONNX Runtime and OpenVINO
make of them.

Everything is made from real photos, at test time, by the libraries themselves; nothing of it is in git.

    usage: make_fixtures.py PHOTOS MODEL_FOLDER FIXTURES

FIXTURES/imaging.json    [{file, picture, width, height, fit, shortSide, filter, trim, background, tolerance, average}]:
                         a photo, and the RGB bytes that Pillow makes of it for a model of that shape
FIXTURES/enlarged/        every photo, enlarged to 1,200 pixels on its short side
FIXTURES/broken/, slow/   photos that are refused, and one that takes long
FIXTURES/embeddings.json [{photo, reference, onnxRuntime}]: for each photo, the unit vector of Pillow and
                         OpenVINO, and for some that of ONNX Runtime
"""

import concurrent.futures
import io
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import tomllib
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageEnhance, ImageOps

PHOTOS_FOR_IMAGING = 3
PHOTOS_FOR_ONNX_RUNTIME = 40
# So much that JPEG is decoded at a half: four times what models see, and more.
ENLARGED_SHORT_SIDE = 1200
CMYK_PROFILE = pathlib.Path("/usr/share/color/icc/ghostscript/default_cmyk.icc")
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
WHITE = (255, 255, 255)


# MARK: What a photo looks like


def to_srgb(image, profile=None):
    """The colours of a photo with a profile, by Pillow's Little CMS."""
    profile = profile or image.info.get("icc_profile")
    if not profile:
        return image
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    image = image.convert("RGB") if image.mode == "RGBA" else image
    image = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    if alpha is not None:
        image.putalpha(alpha)
    return image


def composite(levels, background=WHITE):
    """RGBA over a background. Exact arithmetic, rounded once: Pillow's own compositing rounds twice."""
    levels = np.asarray(levels, np.uint32)
    colour, alpha = levels[..., :3], levels[..., 3:]
    return Image.fromarray(((colour * alpha + np.array(background, np.uint32) * (255 - alpha) + 127) // 255).astype(np.uint8))


def upright_rgb(image, background=WHITE):
    """What a person sees: turned as EXIF says, sRGB, transparency over a background, 8 bits."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image, np.uint32) / 257 + 0.5).astype(np.uint8))
    if "transparency" in image.info or "A" in image.mode:
        return composite(to_srgb(image.convert("RGBA"), image.info.get("icc_profile")), background)
    return to_srgb(image).convert("RGB")


# MARK: What a model sees


def border_colour(levels):
    """Of all pixels at the edge the median of each channel; of an even number the upper one."""
    levels = np.asarray(levels)
    rows = [levels[0], levels[-1]] if len(levels) > 1 else [levels[0]]
    sides = [levels[1:-1, 0], levels[1:-1, -1]] if levels.shape[1] > 1 else [levels[1:-1, 0]]
    edge = np.sort(np.concatenate(rows + sides), axis=0)
    return edge[len(edge) // 2]


def trimmed(image, tolerance=16, margin=0.05):
    levels = np.asarray(image).astype(int)
    content = (np.abs(levels - border_colour(levels)) > tolerance).any(axis=2)
    if not content.any():
        return image
    rows, columns = np.flatnonzero(content.any(axis=1)), np.flatnonzero(content.any(axis=0))
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    extra = int(np.ceil(margin * max(right - left, bottom - top)))
    return image.crop((max(0, left - extra), max(0, top - extra), min(image.width, right + extra), min(image.height, bottom + extra)))


def resized(image, size, resample):
    """Rows first, then columns, as every Pillow before 13 has it, and as models were trained. Pillow 13 begins with the
    columns where these shrink much more, and rounds between the two in another way."""
    if resample == Image.Resampling.NEAREST:
        return image.resize(size, resample)
    return image.resize((size[0], image.height), resample).resize(size, resample)


def model_picture(image, width, height, short_side, resample, fit="crop"):
    """Resize the short side, then the centre crop, as torchvision computes both; or stretch; or ImageOps.pad with the
    border's own colour."""
    if fit == "stretch":
        return resized(image, (width, height), resample)
    if fit == "pad":
        inner = resized(image, ImageOps.contain(Image.new("1", image.size), (width, height)).size, resample)
        canvas = Image.new("RGB", (width, height), tuple(int(level) for level in border_colour(inner)))
        canvas.paste(inner, (round((width - inner.width) * 0.5), round((height - inner.height) * 0.5)))
        return canvas
    full_width, full_height = image.size
    short = min(full_width, full_height)
    size = (int(short_side * full_width / short), int(short_side * full_height / short))
    image = resized(image, size, resample)
    left, top = int(round((size[0] - width) / 2.0)), int(round((size[1] - height) / 2.0))
    return image.crop((left, top, left + width, top + height))


class ImagingFixtures:
    def __init__(self, folder):
        self.folder = folder
        self.cases = []
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def add(
        self, name, data, seen=None, width=224, height=224, short_side=256, filter="bicubic", fit="crop", trim=False,
        background=WHITE, tolerance=0, average=2.0,
    ):  # fmt: skip
        """A file with these bytes; `seen` is what it looks like, where Pillow does not say so itself. `tolerance` is the
        largest difference of a level, `average` the mean of all."""
        (self.folder / name).write_bytes(data)
        seen = seen or upright_rgb(Image.open(io.BytesIO(data)), background)
        picture = model_picture(trimmed(seen) if trim else seen, width, height, short_side, FILTERS[filter], fit)
        colour = "#" + bytes(background).hex()
        expected = f"{name}.{filter}-{width}x{height}-{fit}-{short_side}{'-trim' if trim else ''}{colour[1:]}.rgb"
        (self.folder / expected).write_bytes(picture.tobytes())
        self.cases.append(
            dict(file=name, picture=expected, width=width, height=height, shortSide=short_side, filter=filter, fit=fit, trim=trim,
                 background=colour, tolerance=tolerance, average=average))  # fmt: skip


def encoded(image, format, **options):
    data = io.BytesIO()
    image.save(data, format, **options)
    return data.getvalue()


# MARK: Files that Pillow does not write


def by_tool(command, source, ending):
    """What a command makes of a file; IN and OUT stand for their names."""
    with tempfile.TemporaryDirectory() as folder:
        name, result = pathlib.Path(folder) / f"in{source[0]}", pathlib.Path(folder) / f"out{ending}"
        name.write_bytes(source[1])
        words = [{"IN": str(name), "OUT": str(result)}.get(word, word) for word in command]
        done = subprocess.run(words, capture_output=True)
        if done.returncode != 0:
            raise SystemExit(f"{words} failed: {done.stderr.decode()}")
        return result.read_bytes()


def cjpeg(image, *options):
    return by_tool(["cjpeg", *options, "-outfile", "OUT", "IN"], (".ppm", encoded(image, "PPM")), ".jpg")


def heif(image, ending, *options, **saving):
    return by_tool(["heif-enc", *options, "-o", "OUT", "IN"], (".png", encoded(image, "PNG", **saving)), ending)


def profile(space, tags, padding=0):
    """An ICC profile of version 2 (ICC.1:2001-04): a display's, of three primaries or of grey."""

    def s15(value):
        return struct.pack(">i", round(value * 65536))

    def xyz(values):
        return b"XYZ " + bytes(4) + b"".join(map(s15, values))

    def curve(gamma):
        if gamma != SRGB_CURVE:
            return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
        level = np.arange(1024) / 1023
        light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
        return b"curv" + bytes(4) + struct.pack(">I", 1024) + np.round(light * 65535).astype(">u2").tobytes()

    name = b"imgrec test profile\0"
    parts = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78 + 3),
        b"cprt": b"text" + bytes(4) + b"made by a test" + b"." * padding + b"\0\0",
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
    }
    for tag, value in tags.items():
        parts[tag] = curve(value) if isinstance(value, float) else xyz(value)
    offset = 128 + 4 + 12 * len(parts)
    table, body = struct.pack(">I", len(parts)), b""
    for tag, data in parts.items():
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4s4s4s4s4s", offset + len(body), b"lcms", b"\x02\x40\0\0", b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + s15(0.9642) + s15(1.0) + s15(0.8249)
    return head + bytes(128 - len(head)) + table + body


ADOBE_RGB = {
    b"rXYZ": (0.60974, 0.31111, 0.01947), b"gXYZ": (0.20528, 0.62567, 0.06087), b"bXYZ": (0.14919, 0.06322, 0.74457),
    b"rTRC": 2.19921875, b"gTRC": 2.19921875, b"bTRC": 2.19921875,
}  # fmt: skip
DISPLAY_P3 = {
    b"rXYZ": (0.51512, 0.24120, -0.00105), b"gXYZ": (0.29198, 0.69225, 0.04189), b"bXYZ": (0.15710, 0.06657, 0.78407),
    b"rTRC": 2.2, b"gTRC": 2.2, b"bTRC": 2.2,
}  # fmt: skip


SRGB_CURVE = 0.0


def p3_with(curve):
    return profile(b"RGB ", DISPLAY_P3 | {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def png(samples, depth, colour_type, interlaced=False, chunks=()):
    """A PNG of any colour type and depth, also interlaced (W3C PNG, third edition). `samples`: [height, width, channels]."""
    samples = np.asarray(samples)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    def rows(part):
        for row in part:
            flat = row.reshape(-1)
            if depth == 16:
                yield b"\0" + flat.astype(">u2").tobytes()
            elif depth == 8:
                yield b"\0" + flat.astype(np.uint8).tobytes()
            else:
                bits = ((flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8).reshape(-1)
                yield b"\0" + np.packbits(bits).tobytes()

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    if interlaced:
        parts = [samples[y::dy, x::dx] for x, y, dx, dy in passes]
        data = b"".join(row for part in parts if part.size for row in rows(part))
    else:
        data = b"".join(rows(samples))
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, colour_type, 0, 0, int(interlaced))
    result = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    for name, content in chunks:
        result += chunk(name, content)
    return result + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


# MARK: The cases


def jpeg_fixtures(fixtures, photo):
    fixtures.add("progressive.jpg", encoded(photo, "JPEG", progressive=True))
    fixtures.add("grey.jpg", encoded(photo.convert("L"), "JPEG"))
    fixtures.add("restart.jpg", encoded(photo, "JPEG", restart_marker_blocks=3))
    for name, sampling in (("444", "1x1"), ("422", "2x1"), ("440", "1x2"), ("420", "2x2"), ("411", "4x1"), ("410", "4x2"), ("311", "3x1"), ("113", "1x3")):
        fixtures.add(f"{name}.jpg", cjpeg(photo, "-quality", "90", "-sample", sampling))
    # Pillow's own libjpeg knows no arithmetic coding; the picture is that of the same photo in Huffman coding.
    plain = upright_rgb(Image.open(io.BytesIO(cjpeg(photo, "-quality", "90"))))
    fixtures.add("arithmetic.jpg", cjpeg(photo, "-quality", "90", "-arithmetic"), seen=plain)
    fixtures.add("arithmetic-progressive.jpg", cjpeg(photo, "-quality", "90", "-arithmetic", "-progressive"), seen=plain)
    fixtures.add("rgb.jpg", cjpeg(photo, "-quality", "90", "-rgb"))
    # Four colours as Adobe writes them, inverted; what they look like is Pillow's own conversion back.
    cmyk = photo.convert("CMYK")
    fixtures.add("cmyk.jpg", encoded(cmyk, "JPEG", quality=95), tolerance=2)
    # Without Adobe's marker (APP14) they are taken for inverted too, as in browsers.
    marked = encoded(cmyk, "JPEG", quality=95)
    marker = marked.index(b"\xff\xee")
    unmarked = marked[:marker] + marked[marker + 2 + int.from_bytes(marked[marker + 2 : marker + 4], "big") :]
    fixtures.add("cmyk-plain.jpg", unmarked, tolerance=2)
    fixtures.add("jpeg-called.png", encoded(photo, "JPEG"))
    # A comment and an APP15 of unknown content, and stray bytes before a marker.
    whole = encoded(photo, "JPEG")
    fixtures.add("stray.jpg", whole[:2] + b"\xff\xfe\0\x06stuf\xff\xef\0\x04xy\xff\xff" + whole[2:])
    # A scaled decode (here, and for the small shape) averages in another way than Pillow does on all pixels; it must
    # stay close.
    large = photo.resize((photo.width * 4, photo.height * 4), Image.Resampling.LANCZOS)
    fixtures.add("large.jpg", encoded(large, "JPEG", quality=92), tolerance=24)


def profile_fixtures(fixtures, photo):
    """Little CMS 2.14 and Pillow's 2.19 may round to neighbouring levels."""
    adobe, p3 = profile(b"RGB ", ADOBE_RGB), profile(b"RGB ", DISPLAY_P3)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    fixtures.add("adobe-rgb.jpg", encoded(photo, "JPEG", icc_profile=adobe), tolerance=3)
    fixtures.add("p3-in-chunks.jpg", encoded(photo, "JPEG", icc_profile=profile(b"RGB ", DISPLAY_P3, padding=150_000)), tolerance=3)
    fixtures.add("srgb.jpg", encoded(photo, "JPEG", icc_profile=srgb), seen=photo_of(encoded(photo, "JPEG")))
    fixtures.add("grey-profile.jpg", encoded(photo.convert("L"), "JPEG", icc_profile=profile(b"GRAY", {b"kTRC": 1.8})), tolerance=3)
    fixtures.add("broken-profile.jpg", encoded(photo, "JPEG", icc_profile=b"no profile " * 40), seen=photo_of(encoded(photo, "JPEG")))
    # A profile for inks in a photo of colours.
    fixtures.add("wrong-profile.jpg", encoded(photo, "JPEG", icc_profile=CMYK_PROFILE.read_bytes()), seen=photo_of(encoded(photo, "JPEG")))
    inks = ImageCms.profileToProfile(photo, ImageCms.createProfile("sRGB"), str(CMYK_PROFILE), outputMode="CMYK")
    fixtures.add("cmyk-profile.jpg", encoded(inks, "JPEG", quality=95, icc_profile=CMYK_PROFILE.read_bytes()), tolerance=6)
    fixtures.add("p3.png", encoded(photo, "PNG", icc_profile=p3), tolerance=3)
    fixtures.add("broken-profile.png", png(np.asarray(photo), 8, 2, False, [(b"iCCP", b"p\0\0" + zlib.compress(b"no profile " * 40))]), seen=photo)
    fixtures.add("grey-profile.png", encoded(photo.convert("L"), "PNG", icc_profile=profile(b"GRAY", {b"kTRC": 1.8})), tolerance=3)
    fixtures.add("p3.webp", encoded(photo, "WEBP", lossless=True, icc_profile=p3), tolerance=3)
    faded = photo.copy()
    faded.putalpha(Image.linear_gradient("L").resize(photo.size))
    fixtures.add("p3-transparent.png", encoded(faded, "PNG", icc_profile=p3), tolerance=3)
    fixtures.add("p3.avif", encoded(muted(photo), "AVIF", quality=95, icc_profile=p3), tolerance=12)


def muted(photo):
    """Colours that sRGB has too: where one is cut off, what compression loses is many levels."""
    return ImageEnhance.Color(photo).enhance(0.4)


def photo_of(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


def png_fixtures(fixtures, photo, small, transparent):
    levels = np.asarray(small.convert("L")).astype(int)
    colours = np.asarray(small).astype(int)
    alpha = np.asarray(transparent.resize(small.size).getchannel("A")).astype(int)

    def grey(values, top):
        return Image.fromarray(np.round(values * 255 / top).astype(np.uint8)).convert("RGB")

    for depth in (1, 2, 4, 8):
        top = 2**depth - 1
        values = np.round(levels * top / 255).astype(int)
        for interlaced in (False, True):
            name = f"grey-{depth}{'-interlaced' if interlaced else ''}.png"
            fixtures.add(name, png(values[..., None], depth, 0, interlaced), seen=grey(values, top))
    fine = levels * 257 + (np.arange(levels.size).reshape(levels.shape) % 97)
    fine = np.clip(fine, 0, 65535)
    for interlaced in (False, True):
        ending = "-interlaced" if interlaced else ""
        fixtures.add(f"grey-16{ending}.png", png(fine[..., None], 16, 0, interlaced), seen=grey(fine, 65535), tolerance=1)
        fixtures.add(f"rgb-16{ending}.png", png(colours * 257, 16, 2, interlaced), seen=small, tolerance=1)
        fixtures.add(f"rgb-8{ending}.png", png(colours, 8, 2, interlaced), seen=small)
        rgba = np.dstack([colours, alpha])
        fixtures.add(f"rgba-8{ending}.png", png(rgba, 8, 6, interlaced), seen=composite(rgba))
        fixtures.add(f"rgba-16{ending}.png", png(rgba * 257, 16, 6, interlaced), seen=composite(rgba), tolerance=1)
        both = np.dstack([levels, levels, levels, alpha])
        fixtures.add(f"grey-alpha-8{ending}.png", png(both[..., 2:], 8, 4, interlaced), seen=composite(both))
        fixtures.add(f"grey-alpha-16{ending}.png", png(both[..., 2:] * 257, 16, 4, interlaced), seen=composite(both), tolerance=1)
    for depth in (1, 2, 4, 8):
        quantized = small.quantize(2**depth)
        palette = bytes(quantized.getpalette()[: 3 * 2**depth])
        palette += bytes(3 * 2**depth - len(palette))
        index = np.asarray(quantized)
        fixtures.add(f"palette-{depth}.png", png(index[..., None], depth, 3, depth == 4, [(b"PLTE", palette)]), seen=quantized.convert("RGB"))
    # One colour, and one level of grey, that is transparent.
    key = colours[0, 0]
    clear = np.dstack([colours, np.where((colours == key).all(axis=2), 0, 255)])
    fixtures.add("rgb-key.png", png(colours, 8, 2, False, [(b"tRNS", struct.pack(">3H", *key))]), seen=composite(clear))
    clear = np.dstack([levels, levels, levels, np.where(levels == levels[0, 0], 0, 255)])
    fixtures.add("grey-key.png", png(levels[..., None], 8, 0, True, [(b"tRNS", struct.pack(">H", levels[0, 0]))]), seen=composite(clear))

    # gAMA and cHRM count where nothing better is there.
    gamma = (b"gAMA", struct.pack(">I", 100_000))
    light = colours / 255.0
    seen = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    seen = Image.fromarray(np.round(seen * 255).astype(np.uint8))
    fixtures.add("gamma.png", png(colours, 8, 2, False, [gamma]), seen=seen, tolerance=3)
    fixtures.add("gamma-and-srgb.png", png(colours, 8, 2, False, [(b"sRGB", b"\0"), gamma]), seen=small)
    usual = (b"gAMA", struct.pack(">I", 45_455))
    fixtures.add("gamma-usual.png", png(colours, 8, 2, False, [usual]), seen=small)
    wide = (b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
    fixtures.add("chromaticities.png", png(colours, 8, 2, False, [wide, usual]), seen=to_srgb(small, p3_with(SRGB_CURVE)), tolerance=4)
    steep = (b"gAMA", struct.pack(">I", 50_000))
    fixtures.add("chromaticities-and-gamma.png", png(colours, 8, 2, False, [wide, steep]), seen=to_srgb(small, p3_with(2.0)), tolerance=4)
    p3 = to_srgb(small, profile(b"RGB ", DISPLAY_P3))
    named = b"p\0\0" + zlib.compress(profile(b"RGB ", DISPLAY_P3))
    fixtures.add("gamma-and-profile.png", png(colours, 8, 2, False, [(b"iCCP", named), gamma]), seen=p3, tolerance=3)

    fixtures.add("rgb.png", encoded(photo, "PNG"))
    fixtures.add("png-called.jpg", encoded(photo, "PNG"))
    fixtures.add("transparent.png", encoded(transparent, "PNG"))
    fixtures.add("transparent.png", encoded(transparent, "PNG"), background=(12, 200, 99))
    fixtures.add("palette-transparent.png", encoded(photo.quantize(16), "PNG", transparency=3))


def other_fixtures(fixtures, photo, small, transparent):
    # WebP.
    fixtures.add("lossless.webp", encoded(photo, "WEBP", lossless=True))
    fixtures.add("transparent.webp", encoded(transparent, "WEBP", lossless=True, exact=True))
    # libwebp's own versions differ by a level in upsampling.
    fixtures.add("lossy.webp", encoded(photo, "WEBP", quality=90), tolerance=3)
    other = ImageOps.flip(small)
    fixtures.add("animated.webp", encoded(small, "WEBP", save_all=True, append_images=[other], lossless=True), seen=small)

    # GIF: colours of a palette, the first frame of several, transparency, a frame smaller than the canvas.
    quantized = small.quantize(200)
    fixtures.add("plain.gif", encoded(quantized, "GIF"), seen=quantized.convert("RGB"))
    fixtures.add("straight.gif", encoded(quantized, "GIF", interlace=0), seen=quantized.convert("RGB"))
    fixtures.add("animated.gif", encoded(quantized, "GIF", save_all=True, append_images=[other.quantize(200)]), seen=quantized.convert("RGB"))
    clear = np.dstack([np.asarray(quantized.convert("RGB")), np.where(np.asarray(quantized) == 7, 0, 255)])
    fixtures.add("transparent.gif", encoded(quantized, "GIF", transparency=7), seen=composite(clear))
    data = bytearray(encoded(quantized, "GIF", interlace=0))
    # The canvas becomes wider and higher than the frame, which is put at 20, 10.
    canvas = Image.new("RGB", (small.width + 50, small.height + 30), WHITE)
    canvas.paste(quantized.convert("RGB"), (20, 10))
    data[6:10] = struct.pack("<HH", *canvas.size)
    frame = data.index(b"\x2c" + struct.pack("<HHHH", 0, 0, *small.size))
    data[frame + 1 : frame + 5] = struct.pack("<HH", 20, 10)
    fixtures.add("offset.gif", bytes(data), seen=canvas)

    # AVIF and HEIC. Decoders differ by some levels in how they bring colours back to all pixels.
    fixtures.add("plain.avif", encoded(photo, "AVIF", quality=95), tolerance=12)
    fixtures.add("444.avif", encoded(photo, "AVIF", quality=95, subsampling="4:4:4"), tolerance=3)
    fixtures.add("transparent.avif", encoded(transparent, "AVIF", quality=95, subsampling="4:4:4"), tolerance=4)
    fixtures.add("lossless.heic", heif(photo, ".heic", "-L", "-p", "chroma=444", "--matrix_coefficients=0"), seen=photo, tolerance=2)
    fixtures.add("plain.heic", heif(photo, ".heic", "-q", "95"), seen=photo, tolerance=40)
    fixtures.add("transparent.heic", heif(transparent, ".heic", "-q", "95", "-p", "chroma=444"), seen=composite(transparent), tolerance=12)
    p3 = profile(b"RGB ", DISPLAY_P3)
    plain = muted(photo)
    fixtures.add("p3.heic", heif(plain, ".heic", "-q", "95", "-p", "chroma=444", icc_profile=p3), seen=to_srgb(plain, p3), tolerance=12)
    # Primaries by number: 12 is Display P3's.
    wide = heif(plain, ".heic", "-q", "95", "-p", "chroma=444", "--colour_primaries=12")
    fixtures.add("p3-codes.heic", wide, seen=to_srgb(plain, p3_with(SRGB_CURVE)), tolerance=14)
    fine = (".png", png(np.asarray(photo).astype(int) * 257, 16, 2))
    fixtures.add("10-bit.heic", by_tool(["heif-enc", "-q", "95", "-b", "10", "-o", "OUT", "IN"], fine, ".heic"), seen=photo, tolerance=40)


def orientation_fixtures(fixtures, photo, small):
    """The eight orientations, as each format says them. An AVIF says them twice, in EXIF and as HEIF does."""
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        fixtures.add(f"orientation-{orientation}.jpg", encoded(photo, "JPEG", exif=exif, quality=95, subsampling=0))
        fixtures.add(f"orientation-{orientation}.png", encoded(small, "PNG", exif=exif))
        fixtures.add(f"orientation-{orientation}.webp", encoded(small, "WEBP", lossless=True, exif=exif))
        fixtures.add(f"orientation-{orientation}.avif", encoded(small, "AVIF", quality=100, subsampling="4:4:4", exif=exif), tolerance=3)


def fit_fixtures(fixtures, photos):
    for index, path in enumerate(photos[:PHOTOS_FOR_IMAGING]):
        name, data = f"photo-{index}.jpg", encoded(upright_rgb(Image.open(path)), "JPEG", quality=92)
        for filter in FILTERS:
            for fit in ("crop", "pad", "stretch"):
                fixtures.add(name, data, filter=filter, fit=fit)
        fixtures.add(name, data, width=96, height=64, short_side=100, tolerance=24)
        fixtures.add(name, data, width=96, height=64, fit="pad", filter="nearest")
        # A studio shot: the photo on plain paper, a little noisy and not in the middle.
        photo = upright_rgb(Image.open(path))
        paper = np.random.default_rng(index).integers(246, 256, (photo.height + 300, photo.width + 500, 3)).astype(np.uint8)
        paper[40 : 40 + photo.height, 300 : 300 + photo.width] = np.asarray(photo)
        for fit in ("crop", "pad", "stretch"):
            fixtures.add(f"studio-{index}.png", encoded(Image.fromarray(paper), "PNG"), trim=True, fit=fit)
        fixtures.add(name, data, trim=True)
    middle = Image.new("RGB", (4000, 4000), WHITE)
    middle.paste(upright_rgb(Image.open(photos[0])).resize((500, 500)), (1700, 1800))
    fixtures.add("product-in-the-middle.jpg", encoded(middle, "JPEG", quality=92, subsampling=0), trim=True)
    flat = Image.new("RGB", (4000, 4000), WHITE)
    flat.paste(upright_rgb(Image.open(photos[0])).resize((3800, 450)), (100, 1800))
    fixtures.add("flat-product.jpg", encoded(flat, "JPEG", quality=92, subsampling=0), trim=True)
    blank = Image.new("RGB", (300, 200), (250, 250, 250))
    fixtures.add("blank.png", encoded(blank, "PNG"), trim=True)


def imaging_fixtures(photos, folder):
    fixtures = ImagingFixtures(folder)
    fit_fixtures(fixtures, photos)
    photo = upright_rgb(Image.open(photos[0]))
    small = photo.resize((90, 120))
    transparent = photo.copy()
    transparent.putalpha(Image.linear_gradient("L").resize(photo.size))
    fixtures.add("small.png", encoded(small, "PNG"))
    fixtures.add("extremely-wide.png", encoded(photo.resize((900, 3)), "PNG"))
    fixtures.add("extremely-wide.png", encoded(photo.resize((900, 3)), "PNG"), fit="pad")
    fixtures.add("one-pixel.png", encoded(photo.resize((1, 1)), "PNG"))
    jpeg_fixtures(fixtures, photo)
    profile_fixtures(fixtures, photo)
    png_fixtures(fixtures, photo, small, transparent)
    other_fixtures(fixtures, photo, small, transparent)
    orientation_fixtures(fixtures, photo, small)
    (folder.parent / "imaging.json").write_text(json.dumps(fixtures.cases))

    # Much to do: noise in each colour, and each of the scans leads over 99 megapixels.
    slow = folder.parent / "slow"
    slow.mkdir(exist_ok=True)
    tile = Image.merge("RGB", [Image.effect_noise((1000, 1000), 60) for _ in range(3)])
    sheet = Image.new("RGB", (10_000, 9_900))
    for left in range(0, 10_000, 1000):
        for top in range(0, 9_900, 1000):
            sheet.paste(tile, (left, top))
    (slow / "slow.jpg").write_bytes(encoded(sheet, "JPEG", progressive=True, quality=40, subsampling=0))

    # Files that must be refused.
    broken = folder.parent / "broken"
    shutil.rmtree(broken, ignore_errors=True)
    broken.mkdir()
    for name in ("photo-0.jpg", "small.png", "lossless.webp", "plain.gif", "plain.avif", "plain.heic", "animated.webp"):
        whole = (folder / name).read_bytes()
        (broken / f"half-{name}").write_bytes(whole[: len(whole) // 2])
        (broken / f"header-only-{name}").write_bytes(whole[:24])
    progressive = encoded(photo, "JPEG", progressive=True)
    (broken / "half-progressive.jpg").write_bytes(progressive[: len(progressive) // 2])
    (broken / "noise.jpg").write_bytes(np.random.default_rng(7).bytes(4096))
    (broken / "scan.tiff").write_bytes(encoded(small, "TIFF"))
    (broken / "old.bmp").write_bytes(encoded(small, "BMP"))
    # A warning that costs nothing, and then one that does.
    stray = (folder / "stray.jpg").read_bytes()
    (broken / "half-stray.jpg").write_bytes(stray[: len(stray) * 2 // 3])
    # Small files that unpack to a lot.
    samples = np.asarray(small)
    text = (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9))
    (broken / "text-bomb.png").write_bytes(png(samples, 8, 2, False, [text]))
    (broken / "profile-bomb.png").write_bytes(png(samples, 8, 2, False, [(b"iCCP", b"p\0\0" + zlib.compress(bytes(50_000_000), 9))]))
    (broken / "large-text.png").write_bytes(png(samples, 8, 2, False, [(b"tEXt", b"Comment\0" + b"x" * 100_000)]))
    (broken / "large-profile.jpg").write_bytes(encoded(small, "JPEG", icc_profile=profile(b"RGB ", ADOBE_RGB, padding=100_000)))
    (broken / "large-exif.webp").write_bytes(encoded(small, "WEBP", exif=b"Exif\0\0" + b"x" * 100_000))
    large = (b"iCCP", b"p\0\0" + zlib.compress(profile(b"RGB ", ADOBE_RGB, padding=100_000)))
    (broken / "large-profile.png").write_bytes(png(samples, 8, 2, False, [large]))
    (broken / "line.png").write_bytes(encoded(Image.new("RGB", (20_001, 1)), "PNG"))
    frames = [small.rotate(9 * n).resize((30, 40)) for n in range(40)]
    (broken / "frames.gif").write_bytes(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    (broken / "frames.webp").write_bytes(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    (broken / "frames.png").write_bytes(encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]))


def enlarge(job):
    source, target = job
    image = Image.open(source).convert("RGB")
    target.parent.mkdir(parents=True, exist_ok=True)
    scale = ENLARGED_SHORT_SIDE / min(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    image.resize(size, Image.Resampling.LANCZOS).save(target, "JPEG", quality=85)


def enlarged_fixtures(photos, root, folder):
    """Every photo so large that it is decoded at a fraction."""
    with concurrent.futures.ProcessPoolExecutor() as pool:
        list(pool.map(enlarge, [(path, folder / path.relative_to(root).with_suffix(".jpg")) for path in photos]))


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
    enlarged_fixtures(photos, root, fixtures / "enlarged")
    embedding_fixtures(photos, root, model_folder, fixtures / "embeddings.json")


if __name__ == "__main__":
    main()
