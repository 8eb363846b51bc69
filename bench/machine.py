"""What the tables say about the machine and the programs on it."""

import os
import platform
import subprocess
from pathlib import Path

INSTRUCTIONS = ["avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "asimd"]


def describe(moue, built):
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "instructions": [name for name in INSTRUCTIONS if name in flags()],
        "system": f"{platform.system()} {platform.machine()}",
        "moue": version(moue, built),
    }


def cpuinfo():
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    first = text.split("\n\n")[0].splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first)}


def processor():
    """Model name, with family and model where there are: hypervisors give names that say little."""
    found = cpuinfo()
    name = found.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in found:
        name += f" (family {found['cpu family']}, model {found['model']})"
    return name


def flags():
    found = cpuinfo()
    return (found.get("flags") or found.get("Features") or "").split()


def version(moue, built):
    """Version of the program and, where it was built from this checkout just now, its commit."""
    name = subprocess.run([moue, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    if not built:
        return name
    here = Path(__file__).resolve().parent
    command = ["git", "-C", here, "describe", "--always", "--dirty", "--exclude", "*"]
    commit = subprocess.run(command, capture_output=True, text=True)
    return f"{name} ({commit.stdout.strip()})" if commit.returncode == 0 else name
