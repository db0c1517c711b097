#!/usr/bin/env python3
"""Export the image part of DINOv2-small, CLIP ViT-B/32 or SigLIP base from Hugging Face to ONNX, as a model's folder.

What goes out: an ONNX model with the input `image` [1, 3, 224, 224] and one output, and the manifest with its SHA-256 and
golden values that PyTorch computed.

Needs transformers, torch, onnx, pillow and numpy:

    python3 -m venv hf && hf/bin/pip install 'transformers<5' torch onnx pillow
    hf/bin/python Models/tools/export_vision_transformer.py dinov2-small dinov2-small
    imgrec-agent models add dinov2-small

    usage: export_vision_transformer.py dinov2-small|clip-vit-b32|siglip-base FOLDER [CHECKPOINT | random:SEED]

The checkpoint, a folder of Hugging Face's or the name of one on its hub, is that of the manifest unless another is named.
Random weights are for tests.
"""

import io
import pathlib
import sys
import warnings

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import model_folder
import numpy as np
import tomllib
import torch
import transformers
from PIL import Image

SIZE = 224
FILTERS = {"bicubic": Image.Resampling.BICUBIC}


class DINOv2(torch.nn.Module):
    hub, output = "facebook/dinov2-small", "tokens"
    loaded = transformers.Dinov2Model
    config = transformers.Dinov2Config(
        hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=518, patch_size=14)

    def forward(self, image):
        return self.model(pixel_values=image).last_hidden_state


class CLIP(torch.nn.Module):
    hub, output = "openai/clip-vit-base-patch32", "embedding"
    loaded = transformers.CLIPVisionModelWithProjection
    config = transformers.CLIPVisionConfig(patch_size=32, projection_dim=512)

    def forward(self, image):
        return self.model(pixel_values=image).image_embeds


class SigLIP(torch.nn.Module):
    hub, output = "google/siglip-base-patch16-224", "embedding"
    loaded = transformers.SiglipVisionModel
    config = transformers.SiglipVisionConfig()

    def forward(self, image):
        return self.model(pixel_values=image).pooler_output


KINDS = {"dinov2-small": DINOv2, "clip-vit-b32": CLIP, "siglip-base": SigLIP}


def network(name, checkpoint=None):
    """The network as a torch module from [1, 3, 224, 224] to the output."""
    kind = KINDS[name]
    module = kind()
    # PyTorch's plain attention: the exporter knows it.
    if checkpoint and checkpoint.startswith("random:"):
        torch.manual_seed(int(checkpoint.removeprefix("random:")))
        config = kind.config
        config._attn_implementation = "eager"
        module.model = kind.loaded(config)
        # As initialised most biases are 0 and most norms do nothing: then an error in them would not be seen.
        with torch.no_grad():
            for parameter in module.model.parameters():
                parameter += 0.02 * torch.randn(parameter.shape)
    else:
        module.model = kind.loaded.from_pretrained(checkpoint or kind.hub, attn_implementation="eager")
    return module.eval()


def pixels(image, manifest):
    """A photo as the network gets it, by Pillow and by the manifest; cut as torchvision's CenterCrop does."""
    shape, resize = manifest["input"], manifest["resize"]
    width, height = shape["width"], shape["height"]
    image = image.convert("RGB")
    if resize["fit"] == "crop":
        short = min(image.size)
        size = tuple(resize["short_side"] * side // short for side in image.size)
        left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
        image = image.resize(size, FILTERS[resize["filter"]]).crop((left, top, left + width, top + height))
    else:
        image = image.resize((width, height), FILTERS[resize["filter"]])
    levels = (np.asarray(image, np.float32) - np.float32(shape["mean"])) / np.float32(shape["scale"])
    return torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1)[None]))


def embedding(module, image, manifest):
    """The network's vector of a photo, before it is scaled to unit length."""
    with torch.no_grad():
        output = module(pixels(image, manifest)).numpy()[0]
    return output[0] if manifest["output"].get("pooling") == "class_token" else output


def onnx_bytes(module):
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.zeros(1, 3, SIZE, SIZE),), file, input_names=["image"], output_names=[module.output],
            opset_version=17, dynamo=False)  # fmt: skip
    return file.getvalue()


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in KINDS:
        sys.exit(__doc__.strip().split("usage: ")[1].splitlines()[0])
    name, folder = sys.argv[1:3]
    checkpoint = sys.argv[3] if len(sys.argv) == 4 else None
    template = HERE.parent / name / "manifest.toml"
    manifest = tomllib.loads(template.read_text())
    module = network(name, checkpoint)
    vector = embedding(module, model_folder.test_card(), manifest)
    model_folder.write(folder, template, onnx_bytes(module), vector, checkpoint)


if __name__ == "__main__":
    main()
