#!/usr/bin/env python3
"""Four clips as a webcam makes them, of people who are known, and how many people moue sees in them.

The clips are made of held-out everyday photos: the camera is held unsteadily, the person leans, comes near and goes away, light
changes, some frames are blurred, a hand passes before the face, one clip cuts back and forth between two people, in one two
people sit side by side. Nothing of the photos is kept but in a folder under target/.

    python3 bench/webcam.py [--moue target/release/moue] [--photos ../shared/data/faces] [--seconds 8] [--rounds 3]

It needs ffmpeg and Pillow.
"""

import argparse
import json
import math
import random
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

import faces

WIDTH, HEIGHT, RATE = 640, 480, 15
SEEN = 1.0  # seconds that somebody must be seen to count, as in the report


class Person:
    """A photo of one face, with the face's box."""

    def __init__(self, photo):
        x, y, width, height = photo.only_face()[:4]
        self.centre = (x + width / 2, y + height / 2)
        self.height = height
        self.picture = Image.open(photo.path).convert("RGB")

    def drawn(self, canvas, at, height, roll):
        """Draws the photo so that the face stands at a place of the canvas, this high, turned clockwise by degrees."""
        scale = self.height / height
        sin, cos = math.sin(math.radians(roll)) * scale, math.cos(math.radians(roll)) * scale
        place = (cos, sin, self.centre[0] - at[0] * cos - at[1] * sin, -sin, cos, self.centre[1] + at[0] * sin - at[1] * cos)
        size = canvas.size
        picture = self.picture.transform(size, Image.AFFINE, place, Image.BILINEAR)
        mask = Image.new("L", self.picture.size, 255).transform(size, Image.AFFINE, place, Image.BILINEAR)
        canvas.paste(picture, (0, 0), mask)


def sway(time, seconds, phase):
    """A slow movement to and fro, between -1 and 1."""
    return math.sin(2 * math.pi * time / seconds + phase) * 0.7 + math.sin(2 * math.pi * time / seconds * 2.3 + phase) * 0.3


def camera(canvas, time, chance):
    """What a cheap camera adds: light that changes, a blurred frame now and then, noise of the encoder."""
    canvas = ImageEnhance.Brightness(canvas).enhance(0.85 + 0.25 * sway(time, 5, 1))
    if chance.random() < 0.15:
        canvas = canvas.filter(ImageFilter.GaussianBlur(2.5))
    return canvas


def alone(people, time):
    """One person who leans, comes near and goes away."""
    canvas = Image.new("RGB", (WIDTH, HEIGHT), (90, 95, 100))
    at = WIDTH / 2 + 90 * sway(time, 6, 0), HEIGHT / 2 + 40 * sway(time, 4, 2)
    people[0].drawn(canvas, at, 190 + 90 * sway(time, 7, 1), 22 * sway(time, 5, 0.5))
    return canvas


def hand(people, time):
    """One person before whose face a hand passes, twice, for a second."""
    canvas = alone(people, time)
    for start in (2.0, 5.0):
        if start <= time < start + 1:
            x = WIDTH * (0.2 + 0.6 * (time - start))
            draw = ImageDraw.Draw(canvas)
            draw.ellipse((x - 110, HEIGHT / 2 - 130, x + 110, HEIGHT / 2 + 150), fill=(196, 150, 126))
    return canvas


def cuts(people, time):
    """Two people in turn, two seconds each."""
    return alone([people[int(time / 2) % 2]], time)


def together(people, time):
    """Two people side by side."""
    canvas = Image.new("RGB", (WIDTH, HEIGHT), (120, 110, 100))
    for side, person in enumerate(people[:2]):
        half = Image.new("RGB", (WIDTH // 2, HEIGHT), (120, 110, 100))
        at = WIDTH / 4 + 25 * sway(time, 5, side), HEIGHT / 2 + 25 * sway(time, 4, 2 * side)
        person.drawn(half, at, 150 + 25 * sway(time, 6, side), 12 * sway(time, 5, side))
        canvas.paste(half, (side * WIDTH // 2, 0))
    return canvas


# Who is in it is how many there are.
CLIPS = [("alone", alone, 1), ("hand", hand, 1), ("cuts", cuts, 2), ("together", together, 2)]


def write(path, shown, people, seconds):
    chance = random.Random(path.name)
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}",
               "-r", str(RATE), "-i", "-", "-c:v", "libx264", "-preset", "veryfast", "-crf", "30", "-pix_fmt", "yuv420p", path]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        for frame in range(round(seconds * RATE)):
            time = frame / RATE
            encoder.stdin.write(camera(shown(people, time), time, chance).tobytes())
        encoder.stdin.close()
    if encoder.returncode != 0:
        sys.exit(f"ffmpeg could not write {path}")


def people_seen(moue, clip):
    """Seconds for which each person is seen, and frames with somebody."""
    lines = subprocess.run([moue, "analyze", "--json", "--no-pictures", clip], check=True, capture_output=True, text=True).stdout
    seen, frames, some = {}, 0, 0
    for line in lines.splitlines():
        record = json.loads(line)
        frames += 1
        some += bool(record["faces"])
        for face in record["faces"]:
            who = face["id"]
            seen[who] = seen.get(who, 0) + 1
    return {who: count / RATE for who, count in seen.items()}, frames, some


def main():
    here = Path(__file__).resolve().parent.parent
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--moue", default=here / "target" / "release" / "moue", type=Path)
    options.add_argument("--photos", default=here.parent / "shared" / "data" / "faces", type=Path)
    options.add_argument("--seconds", default=8.0, type=float)
    options.add_argument("--rounds", default=3, type=int, help="how often, each time with other people")
    options = options.parse_args()
    folder = here / "target" / "bench" / "webcam"
    folder.mkdir(parents=True, exist_ok=True)
    photos = faces.unpack(options.photos, here / "target" / "bench" / "faces")["held-out"]["everyday"]
    # A close-up egc-NAME shows the person of eg-NAME again.
    fit = [p for p in photos if p.is_close_up() and p.only_face()[3] >= 180 and not p.path.name.startswith("egc-")]
    print("| clip | people | seen for a second or more | shorter | frames with a face |\n| --- | ---: | ---: | ---: | ---: |")
    right = 0
    for index in range(options.rounds):
        for name, shown, count in CLIPS:
            people = [Person(fit[(index * 2 + i) * 5 % len(fit)]) for i in range(count)]
            path = folder / f"{name}-{index}.mp4"
            write(path, shown, people, options.seconds)
            seen, frames, some = people_seen(options.moue, path)
            lasting = sum(seconds >= SEEN for seconds in seen.values())
            right += lasting == count
            print(f"| {name} {index + 1} | {count} | {lasting} | {len(seen) - lasting} | {some} of {frames} |", flush=True)
    print(f"\n{right} of {options.rounds * len(CLIPS)} clips with as many people as there are.")


if __name__ == "__main__":
    main()
