"""The network that everybody runs: MobileNetV2 (Sandler et al. 2018) of width 1, and the head of FER2013's classifier."""

STEM = 32
# expansion, output channels, repetitions, stride of the first
STAGES = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]
FEATURES = 1280
HEAD = [128, 64]
CLASSES = 7


def blocks():
    """Input channels, expansion, output channels and stride of every bottleneck."""
    channels = STEM
    for expansion, outputs, count, stride in STAGES:
        for index in range(count):
            yield channels, expansion, outputs, stride if index == 0 else 1
            channels = outputs
