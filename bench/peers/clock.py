"""Times one peer in its own process: the arguments every peer takes, the clock, and the line of JSON it prints.

The keys are those of `moue bench infer --json`, so that one reader serves both.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=["infer", "train"])
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--model", help="file of the network, for peers that read one")
    chosen = parser.parse_args()
    # Libraries read these when they are imported, so that peers import theirs later.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(chosen.threads)
    return chosen


def measure(call, seconds, version, evidence=""):
    """Calls for that long after a warm-up, at least five times, and prints what it took.

    `evidence` says in what precision the peer really computed, as far as it tells.
    """
    warm = time.perf_counter()
    calls = 0
    while calls < 3 or time.perf_counter() - warm < min(0.3, seconds):
        call()
        calls += 1
    times = []
    cpu, start = time.process_time(), time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        call()
        times.append((time.perf_counter() - before) * 1e3)
    cpu = (time.process_time() - cpu) * 1e3 / len(times)
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps({
        "median_ms": statistics.median(times),
        "min_ms": min(times),
        "cpu_ms": cpu,
        "runs": len(times),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
        "version": version,
        "evidence": evidence,
    }))
