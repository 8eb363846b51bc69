#!/usr/bin/env python3
"""Runs moue and its peers by turns on the same network and writes the tables of docs/performance.md.

    python3 bench/compare.py                    everything; takes about half an hour, and a quiet machine
    python3 bench/compare.py --quick            one short work against ONNX Runtime, printed only
    python3 bench/compare.py --only train       the works whose name holds this; others keep what is recorded
    python3 bench/compare.py --tables           no runs: the tables anew from what is recorded

Every round runs each contender once, in a process of its own, so that whatever changes on the machine in the meantime
meets all of them. Raw rounds are kept in target/bench/rounds.json. Peers are installed into virtual environments under
target/bench (PyTorch and TensorFlow take gigabytes; --peers leaves them out, --venvs takes those that you have).
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import environments
import machine
import start
import tables
from works import CONTENDERS, HERE, WORKS

ROOT = HERE.parent
PLACE = ROOT / "target" / "bench"
RECORD = PLACE / "rounds.json"
DOCUMENT = ROOT / "docs" / "performance.md"
PEERS = ["ort", "openvino", "torch", "tf"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join(PEERS), help=f"of {','.join(PEERS)}; empty for none")
    parser.add_argument("--venvs", type=Path, help="folder with the virtual environments torch, tf and ort")
    parser.add_argument("--only", default="", help="part of a work's name, or `start`; several separated by commas")
    parser.add_argument("--threads", default="2,1")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of every run, after its warm-up")
    parser.add_argument("--moue", type=Path, help="the program, instead of building it")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tables", action="store_true")
    args = parser.parse_args()
    args.peers = [peer for peer in args.peers.split(",") if peer]
    if unknown := set(args.peers) - set(PEERS):
        parser.error(f"--peers: {', '.join(sorted(unknown))} not known")
    if args.rounds < 1:
        parser.error("--rounds must be 1 or more")
    args.threads = [int(count) for count in args.threads.split(",")]
    if args.quick:
        args.peers = [peer for peer in args.peers if peer == "ort"]
        args.threads, args.rounds, args.seconds = [2], 2, 0.3
        args.only = args.only or "infer-f32-96-1,start"
    return args


def build():
    """Builds the program and returns its path."""
    command = ["cargo", "build", "--release", "--quiet", "--package", "moue-cli", "--message-format=json"]
    messages = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = [json.loads(line).get("executable") for line in messages.splitlines()]
    return Path(next(path for path in found if path))


def chosen(args, name):
    # A whole name, so that "96-3" does not mean "96-32", or the start of one up to a dash.
    return not args.only or any(
        part == name or name.startswith(part + "-") or f"-{part}-" in name for part in args.only.split(",")
    )


def contenders(args, work):
    return [c for c in CONTENDERS if c.takes(work) and (not c.environment or c.environment in args.peers)]


def prepare_models(pythons, works):
    """The files that ONNX Runtime and OpenVINO read."""
    folder = PLACE / "models"
    writer = HERE / "peers" / "write_onnx.py"
    quantised = {(work.size, work.batch) for work in works if work.precision == "int8"}
    for size, batch in {(work.size, work.batch) for work in works if work.kind == "infer"}:
        names = [f"f32-{size}-{batch}.onnx"]
        if (size, batch) in quantised:
            names += [f"int8-qdq-{size}-{batch}.onnx", f"int8-nncf-{size}-{batch}.xml"]
        newest = max(path.stat().st_mtime for path in (writer, HERE / "peers" / "network.py"))
        if all((folder / name).exists() and (folder / name).stat().st_mtime > newest for name in names):
            continue
        command = [pythons["ort"], writer, folder, "--size", str(size), "--batch", str(batch)]
        command += ["--int8"] * (len(names) > 1)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def run_once(contender, work, threads, args, pythons, models):
    """The report of one run; `None` where the contender cannot do it."""
    command, variables = contender.command(work, threads, args.seconds, args.moue, pythons, models)
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    reason = (done.stderr.strip() or f"status {done.returncode}").splitlines()
    print(f"  {contender.name} takes no part: {reason[0] if not contender.environment else reason[-1]}", file=sys.stderr)
    return None


def rounds_of(work, threads, args, pythons, models, today):
    """All runs of one work; what they have in common stands in each, so that a record can be put together of several."""
    taking_part = contenders(args, work)
    common = {"work": work.name, "threads": threads, "date": today}
    runs = []
    for round in range(args.rounds):
        for contender in list(taking_part):
            report = run_once(contender, work, threads, args, pythons, models)
            if report is None:
                taking_part.remove(contender)
                continue
            runs.append({**report, **common, "contender": contender.name, "round": round})
    return runs


def starts(args, python, today):
    photo = PLACE / "photo" / "photo.jpg"
    start.make_photo(python, ROOT / "samples" / "faces.jpg", photo)
    runs = []
    for round in range(4 * args.rounds):
        for title, flags in start.VARIANTS:
            runs.append({"round": round, "date": today, **start.measure(args.moue, photo, title, flags)})
    return runs


def recorded():
    return json.loads(RECORD.read_text()) if RECORD.exists() else {"machine": {}, "runs": [], "starts": []}


def save(record):
    PLACE.mkdir(parents=True, exist_ok=True)
    partial = RECORD.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1))
    partial.replace(RECORD)


def measure(args, record, keep):
    """Adds what is measured to the record; `keep` is called after each work."""
    built = args.moue is None
    args.moue = (args.moue or build()).resolve()
    here = machine.describe(args.moue, built)
    if record["machine"] and any(record["machine"][key] != here[key] for key in ("processor", "cores")):
        sys.exit(f"{RECORD} was recorded on another machine: remove it to start anew")
    record["machine"] = here
    works = [work for work in WORKS if chosen(args, work.name)]
    needed = {c.environment for work in works for c in contenders(args, work) if c.environment}
    if needed & {"ort", "openvino"}:
        needed.add("ort")
    venvs = PLACE / "venvs"
    pythons = {name: environments.python(venvs, name, args.venvs) for name in sorted(needed)}
    models = prepare_models(pythons, works) if "ort" in pythons else None
    today = datetime.date.today().isoformat()
    if chosen(args, "start"):
        picture_python = environments.python(venvs, "pictures", args.venvs)
        record["starts"] = starts(args, picture_python, today)
        keep(record)
    for work in works:
        for threads in args.threads:
            print(f"{work.name}, threads {threads}", file=sys.stderr, flush=True)
            fresh = rounds_of(work, threads, args, pythons, models, today)
            for run in fresh:
                run.setdefault("version", here["moue"])
            timed = {run["contender"] for run in fresh}
            same = lambda run: (run["work"], run["threads"]) == (work.name, threads)
            # Ratios are taken within a round, so that a work's runs are replaced all together.
            record["runs"] = [run for run in record["runs"] if not same(run)] + fresh
            keep(record)
            if not timed:
                print("  nobody took part", file=sys.stderr)


def main():
    args = arguments()
    if args.quick:
        record = {"machine": {}, "runs": [], "starts": []}
        measure(args, record, lambda _: None)
        for name in ("machine", "two-threads", "start"):
            print(tables.all_tables(record)[name], end="\n\n")
        return
    record = recorded()
    if not args.tables:
        measure(args, record, save)
    elif not record["runs"]:
        sys.exit(f"{RECORD}: nothing is recorded yet")
    text = tables.insert(DOCUMENT.read_text(), tables.all_tables(record))
    DOCUMENT.write_text(text)
    print(f"{os.path.relpath(DOCUMENT)} has the new tables; raw rounds: {os.path.relpath(RECORD)}")


if __name__ == "__main__":
    main()
