"""From recorded results of detectors to the tables of docs/detectors.md."""

import statistics

from detector_works import AT_MOST, CONTENDERS, FRAMES, PRECISION
from faces import WITHOUT_FACES
from judge import SHARES, SMALLEST
from tables import Rounds, milliseconds, spread, table

TITLES = {contender.name: contender.title for contender in CONTENDERS}


def percent(share):
    return "" if share is None else f"{100 * share:.1f} %"


def present(recorded):
    return [contender for contender in CONTENDERS if contender.name in recorded]


# What the sets are called in tables, in this order.
SETS = {
    "portraits": "portraits",
    "streets": "streets",
    "everyday": "everyday",
    "close-ups": "close-ups, of everyday",
    "all": "portraits, streets, everyday",
    "negatives": "without faces",
    "everyday-negatives": "without faces, everyday",
}
WITH_FACES = [name for name in SETS if name not in WITHOUT_FACES]


def sets(record):
    """What there was to find."""
    found = next(iter(record["quality"].values()))["sets"]
    rows = [[title, str(found[name]["photos"]), str(found[name]["faces"])] for name, title in SETS.items()]
    return table(["held-out photos", "photos", f"faces of {SMALLEST} pixels and more"], rows, 1)


def quality(record):
    """Of each set, what each detector finds in it."""
    rows = []
    for name in WITH_FACES:
        title = SETS[name]
        for contender in present(record["quality"]):
            found = record["quality"][contender.name]["sets"][name]
            average = found["average_precision"]
            rows.append([
                title,
                contender.title,
                percent(found["recall"]),
                percent(found["precision"]),
                "" if average is None else f"{average:.3f}",
                percent(found["best"]) or "-",
            ])
            title = ""
    header = ["photos", "detector", "recall", "precision", "AP", f"recall at {100 * PRECISION:.0f} %"]
    return table(header, rows, 2)


def false_faces(record):
    rows = []
    for contender in present(record["quality"]):
        sets = [record["quality"][contender.name]["sets"][name] for name in WITHOUT_FACES]
        row = [contender.title]
        for found in sets:
            row += [str(found["false_faces"]), f"{found['false_faces'] / found['photos']:.3f}"]
        rows.append(row)
    header = [column for name in WITHOUT_FACES for column in (SETS[name], "a photo")]
    return table(["false faces", *header], rows, 1)


def close_ups(record):
    rows = []
    for contender in present(record["quality"]):
        found = record["quality"][contender.name]["close_ups"]
        one_elsewhere = found["photos"] - found["exact"] - found["none"] - found["several"]
        counts = [found["exact"], found["none"], one_elsewhere, found["several"], found["found"]]
        rows.append([contender.title, *(percent(count / found["photos"]) for count in counts)])
    header = ["detector", "one box, in place", "no box", "one box, elsewhere", "several", "face found"]
    return table(header, rows, 1)


def shares(record):
    """Recall by height of the face over that of the picture."""
    names = [f"from {least:g}" if least else f"below {SHARES[1]:g}" for least in SHARES]
    rows = []
    for contender in present(record["quality"]):
        classes = record["quality"][contender.name]["shares"]
        if not rows:
            rows.append(["*faces*", *(str(faces) for faces, _ in classes)])
        rows.append([contender.title, *(percent(found / faces) if faces else "" for faces, found in classes)])
    return table(["height of the face", *names], rows, 1)


def roll(record):
    """Share of turned faces found; a column for each detector."""
    turned = [contender for contender in present(record["quality"]) if "roll" in record["quality"][contender.name]]
    columns = [record["quality"][contender.name]["roll"] for contender in turned]
    rows = []
    for cells in zip(*columns):
        degrees, photos, _ = cells[0]
        rows.append([f"{degrees}", f"{photos}", *(percent(found / photos) for _, photos, found in cells)])
    return table(["degrees", "photos", *(contender.title for contender in turned)], rows, 0)


def times(record):
    rows = []
    timed = {run["contender"] for run in record["runs"]}
    for contender in present(timed):
        row = [contender.title]
        for width, height in FRAMES:
            for threads in (1, 2):
                median = Rounds(record, f"{width}x{height}", threads).median(contender.name, "median_ms")
                row.append(milliseconds(median))
        rows.append(row)
    header = [f"{width}x{height}, {threads} thread{'s' * (threads > 1)}, ms" for width, height in FRAMES for threads in (1, 2)]
    return table(["detector", *header], rows, 1)


def cascades(record):
    """moue's time over OpenCV's for the same cascade, with two threads."""
    rows = []
    for contender in CONTENDERS:
        if not contender.works_on:
            continue
        for width, height in FRAMES:
            rounds = Rounds(record, f"{width}x{height}", 2)
            ratios = rounds.ratios(contender.name, contender.works_on)
            if not ratios:
                rows.append([contender.title, f"{width}x{height}", "", "", "not measured", f"{AT_MOST}", ""])
                continue
            ours, theirs = (rounds.median(name, "median_ms") for name in (contender.name, contender.works_on))
            verdict = "yes" if statistics.median(ratios) <= AT_MOST else "no"
            rows.append([contender.title, f"{width}x{height}", milliseconds(ours), milliseconds(theirs), spread(ratios),
                         f"{AT_MOST}", verdict])
    return table(["cascade", "frame", "moue, ms", "OpenCV, ms", "moue / OpenCV", "at most", "reached"], rows, 2)


def moves(record):
    rows = []
    for contender in present(record["quality"]):
        if contender.kind != "moue":
            move = record["quality"][contender.name]["move"]
            rows.append([contender.title, *(f"{value:.3f}" for value in move)])
    return table(["detector", "x", "y", "width", "height"], rows, 1)


def absent(record):
    rows = [[TITLES[name], reason] for name, reason in record["absent"].items() if name in TITLES]
    return table(["detector", "why it takes no part"], rows or [["none", "all took part"]], 2)


def machine(record):
    found = record["machine"]
    versions = sorted({run["version"] for run in record["runs"] if run.get("version")})
    return (f"{found['processor']}, {found['cores']} cores ({', '.join(found['instructions'])}), {found['system']}. "
            f"{record['date']}. {', '.join([found['moue'], *versions])}.")


def all_tables(record):
    return {
        "machine": machine(record),
        "sets": sets(record),
        "quality": quality(record),
        "false-faces": false_faces(record),
        "close-ups": close_ups(record),
        "shares": shares(record),
        "roll": roll(record),
        "times": times(record),
        "cascades": cascades(record),
        "moves": moves(record),
        "absent": absent(record),
    }
