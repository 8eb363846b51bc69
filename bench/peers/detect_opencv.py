"""OpenCV's CascadeClassifier with moue's settings: scale factor 1.1, more than 5 neighbours, 20 pixels. The score is the number
of neighbours."""

import pictures

chosen = pictures.arguments()

import cv2  # noqa: E402

cv2.setNumThreads(chosen.threads)
classifier = cv2.CascadeClassifier(chosen.model)


def find(picture):
    boxes, counts = classifier.detectMultiScale2(picture, scaleFactor=1.1, minNeighbors=5, minSize=(20, 20))
    return [[*box, count] for box, count in zip(boxes, counts)]


read = lambda path: cv2.imread(path, cv2.IMREAD_GRAYSCALE)
pictures.run(chosen, read, pictures.reduce_array, find, f"OpenCV {cv2.__version__}")
