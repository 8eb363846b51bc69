#!/usr/bin/env python3
"""Runs moue's face detectors and those of others on the same photos and writes the tables of docs/detectors.md.

    python3 bench/detectors.py                  everything; takes about ten minutes, and a quiet machine
    python3 bench/detectors.py --only cnn       contenders whose name holds this; others keep what is recorded
    python3 bench/detectors.py --judge          no runs: the boxes that were found judged anew, and the tables
    python3 bench/detectors.py --tables         no runs: the tables anew from what is recorded

Quality is measured on the held-out eighth of the photos in ../shared/data/faces, after moving each detector's boxes to
moue's by a constant that is fitted on another eighth. Times go by turns, as in compare.py. Peers are installed under
target/bench; one that cannot be had is listed with the reason. The boxes that each contender found are kept in
target/bench/found, results in target/bench/detectors.json.
"""

import argparse
import datetime
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
import turned
from compare import PLACE, ROOT, build
from detector_works import CONTENDERS, FRAMES, LEAST, PRECISION

RECORD = PLACE / "detectors.json"
FOUND = PLACE / "found"
PHOTOS = PLACE / "faces"
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
    parser.add_argument("--skip-turned", action="store_true", help="leaves out the turned photos")
    parser.add_argument("--only-turned", action="store_true", help="the turned photos only")
    parser.add_argument("--moue", type=Path, help="the program, instead of building it")
    parser.add_argument("--network", type=Path, help="that moue finds faces with, instead of its own")
    parser.add_argument("--judge", action="store_true", help="nothing is run: what was found is judged anew")
    parser.add_argument("--tables", action="store_true", help="nothing is run: the tables only")
    return parser.parse_args()


class Absent(Exception):
    """Why a contender takes no part."""


class Tools:
    """What contenders are run with; made when first asked for."""

    def __init__(self, args):
        self.moue = (args.moue or build()).resolve()
        self.network = args.network and args.network.resolve()
        self.existing = args.venvs
        self.failed = {}

    def python(self, name):
        if name not in self.failed:
            try:
                return environments.python(PLACE / "venvs", name, self.existing)
            except subprocess.CalledProcessError as error:
                self.failed[name] = f"its packages could not be installed (status {error.returncode})"
        raise Absent(self.failed[name])


def output(command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise Absent((done.stderr.strip() or f"status {done.returncode}").splitlines()[-1])
    return done.stdout


def find(contender, tools, photos):
    """Boxes of each photo, in order: x, y, width, height, score, and for moue the roll."""
    names = [str(photo.path) for photo in photos]
    if contender.kind == "moue":
        folders = dict.fromkeys(photo.path.parent for photo in photos)
        command = [tools.moue, "analyze", *folders, "--json", "--no-pictures"]
        lines = output([*command, *contender.flags(quality=True, network=tools.network)]).splitlines()
        records = {record["source"]: record["faces"] for record in map(json.loads, lines)}
        box = lambda face: [*(face["box"][key] for key in ("x", "y", "width", "height")), face["score"], face["roll"]]
        return [[box(face) for face in records[name]] for name in names]
    listed = PHOTOS / f"{contender.name}.txt"
    listed.write_text("\n".join(names))
    script = ROOT / "bench" / "peers" / contender.script
    lines = output([tools.python(contender.environment), script, "find", listed, *contender.flags(quality=True)])
    return [json.loads(line) for line in lines.splitlines()]


def turned_photos(photos):
    """{degrees: [Photo]}: photos of one face as they are to be turned."""
    alone = [photo for title in ("portraits", "everyday") for photo in photos["held-out"][title]]
    sources = turned.choose(alone, judge.wanted)
    all_turned = {}
    for degrees in turned.ANGLES:
        for photo in sources:
            path = PHOTOS / "turned" / str(degrees) / f"{photo.path.stem}.png"
            label = turned.place(photo.only_face(), photo.size, degrees)
            made = faces.Photo(path, (label,), turned.size(photo.size, degrees))
            all_turned.setdefault(degrees, []).append((photo, made))
    return all_turned


def turn(tools, photos):
    """Makes the turned photos that are not there yet."""
    listed = PHOTOS / "turn.txt"
    rows = [[str(photo.path), str(made.path), degrees, *made.size]
            for degrees, pairs in turned_photos(photos).items() for photo, made in pairs if not made.path.exists()]
    listed.write_text("\n".join(map(json.dumps, rows)))
    subprocess.run([tools.python("pictures"), ROOT / "bench" / "peers" / "turn_pictures.py", listed], check=True)


def key(photo):
    return photo.path.relative_to(PHOTOS).as_posix()


def search(contender, tools, photos):
    """Keeps what a contender finds in all upright photos it is judged on."""
    wanted = [photo for members in photos["held-out"].values() for photo in members]
    if contender.kind != "moue":
        wanted += fitting(photos)
    kept(contender, "turned").unlink(missing_ok=True)  # of another run, perhaps of another network
    keep_found(contender, "upright", tools, wanted)


def search_turned(contender, tools, photos):
    wanted = [made for pairs in turned_photos(photos).values() for _, made in pairs]
    keep_found(contender, "turned", tools, wanted)


def kept(contender, kind):
    return FOUND / f"{contender.name}-{kind}.json"


def keep_found(contender, kind, tools, photos):
    boxes = dict(zip(map(key, photos), find(contender, tools, photos), strict=True))
    write(kept(contender, kind), json.dumps(boxes))


def fitting(photos):
    """Those on which the moves between conventions are fitted."""
    return [photo for title in ("portraits", "everyday") for photo in photos["calibration"][title]]


def quality(contender, photos, found, found_turned):
    """What the tables say about how good it is; `found` are the boxes of each upright photo, `found_turned` those of each turned
    one, if there are any."""
    move = judge.Move()
    if contender.kind != "moue":
        move = judge.fit([(found[key(photo)], photo.labels) for photo in fitting(photos)])
    large = lambda box: min(box[2], box[3]) >= LEAST
    boxes = {photo: list(filter(large, map(move.of, found[key(photo)])))
             for members in photos["held-out"].values() for photo in members}
    held_out = photos["held-out"]
    sets = {**held_out, "all": [photo for title in faces.WITH_FACES for photo in held_out[title]]}
    sets["close-ups"] = [photo for photo in held_out["everyday"] if photo.is_close_up()]
    result = {"move": [move.x, move.y, move.width, move.height], "sets": {}}
    for title, members in sets.items():
        judged = judge.Judged()
        for photo in members:
            judged.add(boxes[photo], photo.labels, photo.size[1])
        result["sets"][title] = summary(judged, contender)
        if title == "everyday":
            result["shares"] = judged.by_share(contender.threshold)
    close = judge.Singles()
    for photo in sets["close-ups"]:
        counted = [box for box in boxes[photo] if box[4] >= contender.threshold]
        close.add([judge.shared(box, photo.only_face())[0] for box in counted])
    result["close_ups"] = vars(close)
    if found_turned:
        result["roll"] = by_roll(contender, turned_photos(photos), found_turned, move)
    return result


def by_roll(contender, all_turned, found, move):
    """Of each angle: photos, and those whose face is found."""
    rows = []
    for degrees, pairs in all_turned.items():
        singles = judge.Singles()
        for _, made in pairs:
            counted = [box for box in found[key(made)] if box[4] >= contender.threshold]
            singles.add([turned_overlap(contender, box, made.labels[0], move) for box in counted])
        rows.append([degrees, singles.photos, singles.found])
    return rows


def turned_overlap(contender, box, label, move):
    """Of a box with its roll. A box without one may fit the turned face or the upright box around it, as it is or moved,
    since moves are fitted on upright faces: the best of these counts."""
    if contender.kind == "moue":
        return turned.overlap((*box[:4], box[5]), label)
    forms = [(*form[:4], 0.0) for form in (box, move.of(box))]
    return max(turned.overlap(form, wanted) for form in forms for wanted in (label, turned.around(label)))


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
        return json.loads(output([*command, *contender.flags(quality=False, network=tools.network)], env=variables))
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


def unpacked(args):
    if not (args.data / "faces").is_dir():
        sys.exit(f"{args.data / 'faces'} is not there: the photos of the comparison are other people's")
    return faces.unpack(args.data / "faces", PHOTOS)


def judge_all(contenders, photos, record):
    """Judges what was found, as far as anything was."""
    for contender in contenders:
        upright, turned_ones = (kept(contender, kind) for kind in ("upright", "turned"))
        if contender.judged and upright.is_file():
            found = [json.loads(path.read_text()) if path.is_file() else {} for path in (upright, turned_ones)]
            record["quality"][contender.name] = quality(contender, photos, *found)


def measure(args, record, keep):
    contenders = [c for c in CONTENDERS if not args.only or any(part in c.name for part in args.only.split(","))]
    photos = {} if args.skip_quality else unpacked(args)
    if args.judge:
        judge_all(contenders, photos, record)
        keep(record)
        return
    tools = Tools(args)
    today = datetime.date.today().isoformat()
    here = machine.describe(tools.moue, args.moue is None)
    if args.network:
        here["moue"] += f" with {args.network.name}"
    record["machine"], record["date"] = here, today
    absent = {}
    if not args.skip_quality:
        if not args.skip_turned:
            turn(tools, photos)
        for contender in contenders:
            if not contender.judged:
                continue
            print(f"quality: {contender.name}", file=sys.stderr, flush=True)
            try:
                if not args.only_turned:
                    search(contender, tools, photos)
                if contender.turned and not args.skip_turned:
                    search_turned(contender, tools, photos)
                judge_all([contender], photos, record)
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


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)


def save(record):
    write(RECORD, json.dumps(record, indent=1))


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
    write(DOCUMENT, text)
    print(f"{os.path.relpath(DOCUMENT)} has the new tables; what they are made of: {os.path.relpath(RECORD)}")


if __name__ == "__main__":
    main()
