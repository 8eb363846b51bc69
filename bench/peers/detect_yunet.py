"""YuNet as the package yuface runs it (libfacedetection). Boxes come down to a confidence of 0.05; 0.5 is its default."""

import pictures

chosen = pictures.arguments()

import importlib.metadata  # noqa: E402
import warnings  # noqa: E402

import numpy  # noqa: E402
import yuface  # noqa: E402
from PIL import Image  # noqa: E402

warnings.simplefilter("ignore")  # of the size of pictures


def read(path):
    rgb = numpy.asarray(Image.open(path).convert("RGB"))
    return numpy.ascontiguousarray(rgb[:, :, ::-1])


def find(picture):
    scores, boxes, _ = yuface.detect(numpy.ascontiguousarray(picture), conf=0.05)
    return [[*box, score / 100] for box, score in zip(boxes.tolist(), scores.tolist())]


pictures.run(chosen, read, pictures.reduce_array, find, f"yuface {importlib.metadata.version('yuface')}")
