"""From the start of the process to its answer and to its end, for one photo: what somebody waits who calls moue from
a shell."""

import json
import os
import subprocess
import sys
import time

# Makes a photo of 640x480 out of the sample picture, whose sides have another ratio: scaled to the width, grey above
# and below.
MAKE = """
import sys
from PIL import Image
source = Image.open(sys.argv[1]).convert("RGB")
scaled = source.resize((640, round(source.height * 640 / source.width)), Image.Resampling.LANCZOS)
photo = Image.new("RGB", (640, 480), (128, 128, 128))
photo.paste(scaled, (0, (480 - scaled.height) // 2))
photo.save(sys.argv[2], quality=90)
"""


def make_photo(python, source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([python, "-c", MAKE, source, target], check=True)


# The name in the tables and the arguments: with the marked picture written beside, as by default, and without.
VARIANTS = [
    ("faces, emotions and the marked picture", ["--json"]),
    ("faces and emotions alone", ["--json", "--no-pictures"]),
    ("the same with one thread", ["--json", "--no-pictures", "--threads", "1"]),
]


def measure(moue, photo, title, arguments):
    """One run: time to the line with the answer and to the end, processor time, and the most memory it held."""
    command = [str(moue), "analyze", str(photo), *arguments]
    read, write = os.pipe()
    actions = [
        (os.POSIX_SPAWN_DUP2, write, 1),
        (os.POSIX_SPAWN_CLOSE, read),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    start = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    os.close(write)
    with os.fdopen(read) as output:
        answer = output.readline()
        answered = time.perf_counter() - start
    # The system counts the memory of this script, which the process was for a moment, as its own; it holds less.
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - start
    if status != 0:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}")
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "variant": title,
        "answer_ms": answered * 1e3,
        "wall_ms": wall * 1e3,
        "cpu_ms": (usage.ru_utime + usage.ru_stime) * 1e3,
        "memory_mb": usage.ru_maxrss * unit / 1e6,
        "faces": len(json.loads(answer)["faces"]),
    }
