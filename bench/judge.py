"""Judges boxes of any detector as `moue detector eval` does (crates/moue-detect/src/evaluate.rs), after moving them to one
convention.

A box is (x, y, width, height, score), a labelled one (x, y, width, height, ignore), all in pixels.
"""

import math
import statistics
from dataclasses import dataclass

FOUND = 0.5  # overlap from which a box has found a face
PASSED_OVER = 0.5  # share of a box inside an ignored one from which it counts neither way
SMALLEST = 20  # pixels a side, root of the area, from which faces count
SHARES = [0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8]  # lower limits of the classes of a face's height over that of the picture


@dataclass(frozen=True)
class Move:
    """Where the face lies in a detector's box, in sides of the box."""

    x: float = 0.0
    y: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def of(self, box):
        x, y, width, height, score = box[:5]
        return (x + self.x * width, y + self.y * height, self.width * width, self.height * height, score)


def shared(a, b):
    """Intersection over union, and the share of the first box that lies inside the second."""
    across = max(0.0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
    area, own = across * down, a[2] * a[3]
    return area / (own + b[2] * b[3] - area), area / own


def wanted(label):
    return not label[4] and (label[2] * label[3]) ** 0.5 >= SMALLEST


def fit(photos):
    """The move from a detector's boxes to the labelled ones: medians over pairs, found twice, since the first pairs are
    those of boxes that have not been moved yet. `photos` are pairs of boxes and labels."""
    move = Move()
    for least in (0.2, 0.4):
        pairs = []
        for boxes, labels in photos:
            for label in filter(wanted, labels):
                best = max(boxes, key=lambda box: shared(move.of(box), label)[0], default=None)
                if best and shared(move.of(best), label)[0] >= least:
                    pairs.append((best, label))
        if not pairs:
            return move
        middle = lambda of: statistics.median(of(box, label) for box, label in pairs)
        move = Move(
            middle(lambda box, label: (label[0] - box[0]) / box[2]),
            middle(lambda box, label: (label[1] - box[1]) / box[3]),
            middle(lambda box, label: label[2] / box[2]),
            middle(lambda box, label: label[3] / box[3]),
        )
    return move


class Judged:
    """Boxes over some photos, each with its score and whether it found a face, and the faces that there were."""

    def __init__(self):
        self.boxes = []
        self.found = []  # of each face: its height over the picture's, and the score of the box that found it, or None
        self.photos = 0

    @property
    def faces(self):
        return len(self.found)

    def add(self, boxes, labels, height=math.inf):
        """One photo of that height. Boxes are taken best first; each finds the face that it overlaps most."""
        taken = {}
        for box in sorted(boxes, key=lambda box: -box[4]):
            free = [i for i, label in enumerate(labels) if wanted(label) and i not in taken]
            best = max(free, key=lambda i: shared(box, labels[i])[0], default=None)
            if best is not None and shared(box, labels[best])[0] >= FOUND:
                taken[best] = box[4]
                self.boxes.append((box[4], True))
                continue
            others = [shared(box, label) for label in labels if not wanted(label)]
            if not any(overlap >= FOUND or inside >= PASSED_OVER for overlap, inside in others):
                self.boxes.append((box[4], False))
        self.found += [(label[3] / height, taken.get(i)) for i, label in enumerate(labels) if wanted(label)]
        self.photos += 1

    def at(self, threshold):
        """Recall, precision and number of false faces."""
        right = sum(found for score, found in self.boxes if score >= threshold)
        wrong = sum(not found for score, found in self.boxes if score >= threshold)
        recall = right / self.faces if self.faces else 0.0
        return recall, right / (right + wrong) if right + wrong else 1.0, wrong

    def points(self):
        """Recall and precision at every score that there is, the highest first."""
        right, points = 0, {}
        for count, (score, found) in enumerate(sorted(self.boxes, reverse=True), 1):
            right += found
            points[score] = (right / self.faces if self.faces else 0.0, right / count)
        return list(points.values())

    def most_at(self, precision):
        """The highest recall of any threshold with at least this precision; None where there is none."""
        return max((point[0] for point in self.points() if point[1] >= precision), default=None)

    def average_precision(self):
        """Area under precision over recall, precision taken as the best at this recall or beyond."""
        points = self.points()
        best, area = 0.0, 0.0
        for i in range(len(points) - 1, -1, -1):
            best = max(best, points[i][1])
            area += best * (points[i][0] - (points[i - 1][0] if i else 0.0))
        return area

    def by_share(self, threshold):
        """Of each class of SHARES: faces, and how many of them are found."""
        classes = [[0, 0] for _ in SHARES]
        for share, score in self.found:
            one = classes[max(i for i, least in enumerate(SHARES) if share >= least)]
            one[0] += 1
            one[1] += score is not None and score >= threshold
        return classes


class Singles:
    """What is found in photos of one face each."""

    def __init__(self):
        self.photos = self.exact = self.found = self.none = self.several = 0

    def add(self, overlaps):
        """One photo: the overlap of each box with its face."""
        found = any(overlap >= FOUND for overlap in overlaps)
        self.photos += 1
        self.found += found
        self.exact += found and len(overlaps) == 1
        self.none += not overlaps
        self.several += len(overlaps) > 1
