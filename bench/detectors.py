#!/usr/bin/env python3
"""Runs moue's face detectors and those of others on the same photos and writes the tables of docs/detectors.md.

    python3 bench/detectors.py                  everything; takes about ten minutes, and a quiet machine
    python3 bench/detectors.py --only cnn       contenders whose name holds this; others keep what is recorded
    python3 bench/detectors.py --tables         no runs: the tables anew from what is recorded

Quality is measured on the held-out eighth of the photos in ../shared/data/faces, after moving each detector's boxes to
moue's by a constant that is fitted on another eighth. Times go by turns, as in compare.py. Peers are installed under
target/bench; one that cannot be had is listed with the reason. Results are kept in target/bench/detectors.json.
"""

import argparse
import datetime
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import detector_tables
import environments
import faces
import judge
import machine
import tables
from compare import PLACE, ROOT, build
from detector_works import CONTENDERS, FRAMES, LEAST, PRECISION

RECORD = PLACE / "detectors.json"
DOCUMENT = ROOT / "docs" / "detectors.md"

# Cuts a frame of that size out of a photo that is scaled to cover it.
FRAME = """
import sys
from PIL import Image
photo, width, height = Image.open(sys.argv[1]).convert("RGB"), int(sys.argv[3]), int(sys.argv[4])
factor = max(width / photo.width, height / photo.height)
scaled = photo.resize((round(photo.width * factor), round(photo.height * factor)), Image.Resampling.LANCZOS)
left, top = (scaled.width - width) // 2, (scaled.height - height) // 2
scaled.crop((left, top, left + width, top + height)).save(sys.argv[2])
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--venvs", type=Path, help="folder with the virtual environments opencv, yunet and blazeface")
    parser.add_argument("--only", default="", help="parts of contenders' names, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of every timed run")
    parser.add_argument("--skip-times", action="store_true", help="quality only")
    parser.add_argument("--skip-quality", action="store_true", help="times only")
    parser.add_argument("--moue", type=Path, help="the program, instead of building it")
    parser.add_argument("--tables", action="store_true")
    return parser.parse_args()


class Absent(Exception):
    """Why a contender takes no part."""


class Tools:
    """What contenders are run with; made when first asked for."""

    def __init__(self, args):
        self.moue = (args.moue or build()).resolve()
        self.existing = args.venvs
        self.failed = {}

    def python(self, name):
        if name not in self.failed:
            try:
                return environments.python(PLACE / "venvs", name, self.existing)
            except subprocess.CalledProcessError as error:
                self.failed[name] = f"its packages could not be installed (status {error.returncode})"
        raise Absent(self.failed[name])

    @functools.cache
    def rustface(self):
        """The program and the model that comes with the crate."""
        manifest = ROOT / "bench" / "peers" / "rustface" / "Cargo.toml"
        target = PLACE / "rustface"
        command = ["cargo", "build", "--release", "--quiet", "--locked", "--manifest-path", manifest, "--target-dir", target]
        if subprocess.run(command).returncode != 0:
            raise Absent("its crate could not be built")
        command = ["cargo", "metadata", "--format-version=1", "--locked", "--manifest-path", manifest]
        packages = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["packages"]
        crate = next(Path(package["manifest_path"]) for package in packages if package["name"] == "rustface")
        model = crate.parent / "model" / "seeta_fd_frontal_v1.0.bin"
        if not model.is_file():
            raise Absent("its crate came without the model")
        return target / "release" / "detect-rustface", model


def output(command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise Absent((done.stderr.strip() or f"status {done.returncode}").splitlines()[-1])
    return done.stdout


def find(contender, tools, photos):
    """Boxes of each photo, in order."""
    names = [str(path) for path, _ in photos]
    if contender.kind == "moue":
        command = [tools.moue, "analyze", *dict.fromkeys(path.parent for path, _ in photos), "--json", "--no-pictures"]
        lines = output([*command, *contender.flags(quality=True)]).splitlines()
        records = {record["source"]: record["faces"] for record in map(json.loads, lines)}
        box = lambda face: [*(face["box"][key] for key in ("x", "y", "width", "height")), face["score"]]
        return [[box(face) for face in records[name]] for name in names]
    listed = PLACE / "faces" / "list.txt"
    listed.write_text("\n".join(names))
    if contender.kind == "rustface":
        program, model = tools.rustface()
        lines = output([program, "find", listed, model])
    else:
        script = ROOT / "bench" / "peers" / contender.script
        lines = output([tools.python(contender.environment), script, "find", listed, *contender.flags(quality=True)])
    return [json.loads(line) for line in lines.splitlines()]


def quality(contender, tools, photos):
    """What the tables say about how good it is."""
    sets = photos["calibration"]
    known = [photo for title in ("portraits", "streets") for photo in sets[title]]
    move = judge.Move()
    if contender.kind != "moue":
        move = judge.fit(list(zip(find(contender, tools, known), [labels for _, labels in known])))
    result = {"move": [move.x, move.y, move.width, move.height]}
    both = judge.Judged()
    for title, members in photos["held-out"].items():
        judged = judge.Judged()
        for boxes, (_, labels) in zip(find(contender, tools, members), members, strict=True):
            boxes = [box for box in map(move.of, boxes) if min(box[2], box[3]) >= LEAST]
            judged.add(boxes, labels)
            if title != "empty":
                both.add(boxes, labels)
        result[title] = summary(judged, contender)
    result["both"] = summary(both, contender)
    return result


def summary(judged, contender):
    recall, precision, wrong = judged.at(contender.threshold)
    return {
        "photos": judged.photos,
        "faces": judged.faces,
        "recall": recall,
        "precision": precision,
        "average_precision": judged.average_precision() if contender.scored else None,
        "best": judged.most_at(PRECISION) if contender.scored else None,
        "false_faces": wrong,
    }


def time_once(contender, tools, frame, threads, seconds):
    variables = {key: value for key, value in os.environ.items() if key != "MOUE_SIMD"}
    if contender.kind == "moue":
        command = [tools.moue, "bench", "detect", frame, "--json", "--threads", threads, "--seconds", seconds]
        return json.loads(output([*command, *contender.flags(quality=False)], env=variables))
    if contender.kind == "rustface":
        program, model = tools.rustface()
        return json.loads(output([program, "time", frame, model, threads, seconds]))
    script = ROOT / "bench" / "peers" / contender.script
    command = [tools.python(contender.environment), script, "time", frame, "--threads", threads, "--seconds", seconds]
    return json.loads(output([*command, *contender.flags(quality=False)]).splitlines()[-1])


def times(contenders, tools, args, today, absent):
    """Runs by turns: every round has each contender once for each frame and number of threads."""
    frames = PLACE / "frames"
    frames.mkdir(parents=True, exist_ok=True)
    runs = []
    for width, height in FRAMES:
        frame = frames / f"{width}x{height}.png"
        photo = args.data / "photos" / "multi_face.jpg"
        subprocess.run([tools.python("pictures"), "-c", FRAME, photo, frame, str(width), str(height)], check=True)
        for threads in (1, 2):
            print(f"{width}x{height}, threads {threads}", file=sys.stderr, flush=True)
            for round in range(args.rounds):
                for contender in contenders:
                    if contender.name in absent:
                        continue
                    try:
                        report = time_once(contender, tools, frame, threads, args.seconds)
                    except Absent as reason:
                        absent[contender.name] = str(reason)
                        continue
                    runs.append({
                        "work": f"{width}x{height}", "threads": threads, "round": round, "date": today,
                        "contender": contender.name, "median_ms": report["median_ms"], "min_ms": report["min_ms"],
                        "version": report.get("version") or "",
                    })
    return runs


def measure(args, record, keep):
    if not (args.data / "faces").is_dir():
        sys.exit(f"{args.data / 'faces'} is not there: the photos of the comparison are other people's")
    contenders = [c for c in CONTENDERS if not args.only or any(part in c.name for part in args.only.split(","))]
    tools = Tools(args)
    today = datetime.date.today().isoformat()
    here = machine.describe(tools.moue, args.moue is None)
    record["machine"], record["date"] = here, today
    absent = {}
    if not args.skip_quality:
        photos = faces.unpack(args.data / "faces", PLACE / "faces")
        for contender in contenders:
            print(f"quality: {contender.name}", file=sys.stderr, flush=True)
            try:
                record["quality"][contender.name] = quality(contender, tools, photos)
            except Absent as reason:
                absent[contender.name] = str(reason)
            keep(record)
    if not args.skip_times:
        fresh = times(contenders, tools, args, today, absent)
        again = {run["contender"] for run in fresh}
        record["runs"] = [run for run in record["runs"] if run["contender"] not in again] + fresh
    for contender in contenders:
        record["absent"].pop(contender.name, None)
    record["absent"].update(absent)
    for name, reason in absent.items():
        print(f"SKIPPED: {name}: {reason}", file=sys.stderr)
    keep(record)


def save(record):
    PLACE.mkdir(parents=True, exist_ok=True)
    partial = RECORD.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1))
    partial.replace(RECORD)


def main():
    args = arguments()
    record = {"machine": {}, "date": "", "quality": {}, "runs": [], "absent": {}}
    if RECORD.exists():
        record = json.loads(RECORD.read_text())
    if not args.tables:
        measure(args, record, save)
    elif not record["quality"]:
        sys.exit(f"{RECORD}: nothing is recorded yet")
    text = tables.insert(DOCUMENT.read_text(), detector_tables.all_tables(record))
    partial = DOCUMENT.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(DOCUMENT)
    print(f"{os.path.relpath(DOCUMENT)} has the new tables; what they are made of: {os.path.relpath(RECORD)}")


if __name__ == "__main__":
    main()
