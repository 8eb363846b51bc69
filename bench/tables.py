"""From recorded rounds to tables in Markdown, and from there into the documentation."""

import re
import statistics

from works import CONTENDERS, GOALS, START_AIM, START_AT_MOST, START_MEMORY, WORKS

TITLES = {contender.name: contender.title for contender in CONTENDERS}


class Rounds:
    """The recorded runs of one work and one number of threads."""

    def __init__(self, record, work, threads):
        self.runs = {}
        for run in record["runs"]:
            if run["work"] == work and run["threads"] == threads:
                self.runs.setdefault(run["contender"], {})[run["round"]] = run

    def median(self, contender, key):
        values = [run[key] for run in self.runs.get(contender, {}).values() if run.get(key) is not None]
        return statistics.median(values) if values else None

    def ratios(self, contender, peer, key="median_ms"):
        """The first over the second, round by round: what slows a round down slows both."""
        ours, theirs = self.runs.get(contender, {}), self.runs.get(peer, {})
        return [ours[round][key] / theirs[round][key] for round in sorted(ours.keys() & theirs.keys())]

    def floor(self):
        return self.median("moue", "floor_ms")

    def evidence(self, contender):
        return next((run["evidence"] for run in self.runs.get(contender, {}).values() if run.get("evidence")), "")

    def fastest(self, contenders):
        timed = [name for name in contenders if self.runs.get(name)]
        return min(timed, key=lambda name: self.median(name, "median_ms"), default=None)


def table(header, rows, numbers):
    """A Markdown table; columns from `numbers` on are flush right."""
    rule = ["---" if column < numbers else "---:" for column in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rule, *rows])


def milliseconds(value):
    if value is None:
        return ""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def spread(ratios):
    """Median and, in brackets, smallest and largest."""
    if not ratios:
        return ""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def speed(record, threads):
    """Every work, everybody who did it, and moue's time over theirs."""
    rows = []
    for work in WORKS:
        rounds = Rounds(record, work.name, threads)
        floor = rounds.floor()
        title = work.title
        for name in [contender.name for contender in CONTENDERS if contender.name in rounds.runs]:
            median = rounds.median(name, "median_ms")
            fastest = min(run["min_ms"] for run in rounds.runs[name].values())
            peer = not name.startswith("moue")
            rows.append([
                title,
                TITLES[name],
                milliseconds(median),
                milliseconds(fastest),
                milliseconds(rounds.median(name, "cpu_ms")),
                f"{median / floor:.1f}" if floor else "",
                spread(rounds.ratios("moue", name)) if peer else "",
                spread(rounds.ratios("moue", name, "cpu_ms")) if peer else "",
            ])
            title = ""
    header = ["work", "by", "ms", "fastest", "CPU ms", "x floor", "moue / it", "moue / it, CPU"]
    return table(header, rows, 2)


def goals(record):
    rows = []
    for goal in GOALS:
        rounds = Rounds(record, goal.work, 2)
        peer = rounds.fastest(goal.peers)
        ratios = rounds.ratios("moue", peer) if peer else []
        verdict = ""
        if ratios:
            ratio = statistics.median(ratios)
            verdict = "aim" if ratio <= goal.aim else "yes" if ratio <= goal.at_most else "no"
        title = next(work.title for work in WORKS if work.name == goal.work)
        against = TITLES[peer] if peer else " or ".join(TITLES[name] for name in goal.peers)
        rows.append([title, against, f"{goal.at_most:.2f}", f"{goal.aim:.2f}", spread(ratios) or "not measured",
                     verdict])
    return table(["work", "against", "at most", "aim", "measured", "reached"], rows, 2)


def levels(record):
    """Older instruction sets against the best one."""
    rows = []
    for work in WORKS:
        rounds = Rounds(record, work.name, 2)
        ours = [rounds.median(name, "median_ms") for name in ("moue", "moue-avx2", "moue-portable")]
        if ours[0] and any(ours[1:]):
            ratios = [spread(rounds.ratios(name, "moue")) for name in ("moue-avx2", "moue-portable")]
            rows.append([work.title, *map(milliseconds, ours), *ratios])
    return table(["work", "best, ms", "AVX2, ms", "portable, ms", "AVX2 / best", "portable / best"], rows, 1)


def start(record):
    rows = []
    variants = dict.fromkeys(run["variant"] for run in record["starts"])
    for variant in variants:
        runs = [run for run in record["starts"] if run["variant"] == variant]
        column = lambda key: [run[key] for run in runs]
        rows.append([
            variant,
            str(runs[0]["faces"]),
            f"{statistics.median(column('answer_ms')):.1f}",
            f"{statistics.median(column('wall_ms')):.1f}",
            f"{min(column('wall_ms')):.1f} to {max(column('wall_ms')):.1f}",
            f"{statistics.median(column('cpu_ms')):.1f}",
            f"{max(column('memory_mb')):.1f}",
        ])
    bar = ["*at most (aim)*", "", "", f"{START_AT_MOST} ({START_AIM})", "", "", str(START_MEMORY)]
    return table(["moue analyze photo.jpg", "faces", "answer, ms", "end, ms", "from, to", "CPU ms", "MB"], [*rows, bar], 1)


def precisions(record):
    """What peers say about the precision they really ran in."""
    rows = []
    for work in WORKS:
        for name in TITLES:
            rounds = Rounds(record, work.name, 2)
            if work.precision != "f32" and rounds.evidence(name):
                rows.append([work.title, TITLES[name], rounds.evidence(name)])
    return table(["work", "by", "it says"], rows, 3)


def machine(record):
    found = record["machine"]
    versions = sorted({run["version"] for run in record["runs"] if run.get("version")})
    dates = sorted({run["date"] for run in [*record["runs"], *record["starts"]]})
    rounds = max((run["round"] + 1 for run in record["runs"]), default=0)
    return "\n".join([
        f"{found['processor']}, {found['cores']} cores ({', '.join(found['instructions'])}), {found['system']}. "
        f"{' to '.join(dict.fromkeys([dates[0], dates[-1]]))}, up to {rounds} rounds.",
        f"{', '.join(versions)}.",
    ])


def all_tables(record):
    return {
        "machine": machine(record),
        "goals": goals(record),
        "two-threads": speed(record, 2),
        "one-thread": speed(record, 1),
        "levels": levels(record),
        "precisions": precisions(record),
        "start": start(record),
    }


def insert(text, tables):
    """The text with every table put between its marks, `<!-- table:NAME -->` and `<!-- end -->`.

    An error names a mark without a table, a table without a mark, or a mark that is not closed.
    """
    wanted = re.findall(r"<!-- table:(\S+) -->", text)
    unknown, unused = set(wanted) - set(tables), set(tables) - set(wanted)
    if unknown or unused or len(wanted) != len(set(wanted)):
        raise ValueError(f"marks and tables differ: {sorted(unknown)} have no table, {sorted(unused)} no mark")
    pattern = re.compile(r"(<!-- table:(\S+) -->\n)(?:(?!<!-- table:).)*?(<!-- end -->)", re.DOTALL)
    text, count = pattern.subn(lambda match: f"{match[1]}{tables[match[2]]}\n{match[3]}", text)
    if count != len(wanted):
        raise ValueError("a table's mark is not closed by <!-- end -->")
    return text
