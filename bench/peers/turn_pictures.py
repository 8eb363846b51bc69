"""Turns photos clockwise about their middle, in pictures that hold all of them; around is black.

    turn_pictures.py LIST      each line: [photo, target, degrees, width of the target, height]
"""

import json
import math
import sys
from pathlib import Path

from PIL import Image

for line in Path(sys.argv[1]).read_text().splitlines():
    source, target, degrees, width, height = json.loads(line)
    photo = Image.open(source).convert("RGB")
    sin, cos = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    across, down = photo.width / 2, photo.height / 2
    # From a place in the target to the one in the photo.
    x = cos, sin, across - width / 2 * cos - height / 2 * sin
    y = -sin, cos, down + width / 2 * sin - height / 2 * cos
    turned = photo.transform((width, height), Image.Transform.AFFINE, (*x, *y), Image.Resampling.BILINEAR)
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    partial = Path(f"{target}.partial")
    turned.save(partial, "PNG", compress_level=1)
    partial.replace(target)
