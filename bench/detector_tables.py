"""From recorded results of detectors to the tables of docs/detectors.md."""

import statistics

from detector_works import AT_MOST, CONTENDERS, FRAMES, PRECISION
from tables import Rounds, milliseconds, spread, table

TITLES = {contender.name: contender.title for contender in CONTENDERS}


def percent(share):
    return "" if share is None else f"{100 * share:.1f} %"


def present(recorded):
    return [contender for contender in CONTENDERS if contender.name in recorded]


def quality(record):
    rows = []
    for contender in present(record["quality"]):
        found = record["quality"][contender.name]
        both, empty = found["both"], found["empty"]
        rows.append([
            contender.title,
            percent(found["portraits"]["recall"]),
            percent(found["streets"]["recall"]),
            percent(both["recall"]),
            percent(both["precision"]),
            f"{both['average_precision']:.3f}" if both["average_precision"] is not None else "",
            percent(both.get("best")),
            str(empty["false_faces"]),
            f"{empty['false_faces'] / empty['photos']:.3f}",
        ])
    header = ["detector", "recall, portraits", "recall, streets", "recall", "precision", "AP",
              f"recall at {100 * PRECISION:.0f} %", "false faces", "a photo"]
    return table(header, rows, 1)


def sets(record):
    """What there was to find."""
    found = next(iter(record["quality"].values()))
    names = {"portraits": "portraits", "streets": "streets", "empty": "without faces"}
    rows = [[names[name], str(found[name]["photos"]), str(found[name]["faces"])] for name in names]
    return table(["held-out photos", "photos", "faces of 20 pixels and more"], rows, 1)


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
        "times": times(record),
        "cascades": cascades(record),
        "moves": moves(record),
        "absent": absent(record),
    }
