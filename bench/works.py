"""What is measured, who takes part, and what we want to reach."""

import os
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Work:
    """One row of the tables: a call of `moue bench` and its like."""

    kind: str  # infer or train
    size: int  # side of the pictures
    batch: int
    precision: str = "f32"

    @property
    def name(self):
        return f"{self.kind}-{self.precision}-{self.size}-{self.batch}"

    @property
    def title(self):
        precision = "" if self.precision == "f32" and self.kind == "train" else f", {self.precision}"
        what = "training step" if self.kind == "train" else "inference"
        return f"{what}{precision}, {self.batch} of {self.size}x{self.size}"


@dataclass(frozen=True)
class Contender:
    """A way to do a work: moue at an instruction set, or a peer."""

    name: str
    title: str
    environment: str = ""  # virtual environment of a peer; empty for moue
    script: str = ""
    works: tuple = ()  # (kind, precision) of those it takes part in
    model: str = ""  # file name of its network, if it reads one
    variables: tuple = ()

    def takes(self, work):
        return (work.kind, work.precision) in self.works

    def command(self, work, threads, seconds, moue, pythons, models):
        """Arguments and environment variables of one run."""
        if self.environment:
            command = [str(pythons[self.environment]), str(HERE / "peers" / self.script), work.kind]
            command += ["--size", str(work.size)]
        else:
            command = [str(moue), "bench", work.kind, "--json", "--input", str(work.size)]
        command += ["--batch", str(work.batch), "--threads", str(threads), "--seconds", str(seconds)]
        if self.environment or work.precision != "f32":
            command += ["--precision", work.precision]
        if self.model:
            command += ["--model", str(models / self.model.format(work=work))]
        # A level that somebody wished for elsewhere is not what the rows without one say.
        environment = {key: value for key, value in os.environ.items() if key != "MOUE_SIMD"}
        return command, environment | dict(self.variables)


WORKS = [
    Work("infer", 96, 1),
    Work("infer", 224, 1),
    Work("infer", 96, 32),
    Work("infer", 96, 1, "bf16"),
    Work("infer", 224, 1, "bf16"),
    Work("infer", 96, 1, "int8"),
    Work("infer", 224, 1, "int8"),
    Work("infer", 96, 32, "int8"),
    Work("train", 96, 24),
    Work("train", 224, 24),
]

INFER, TRAIN = ("infer", "f32"), ("train", "f32")
BF16, INT8 = ("infer", "bf16"), ("infer", "int8")

CONTENDERS = [
    Contender("moue", "moue", works=(INFER, BF16, INT8, TRAIN)),
    Contender("onnxruntime", "ONNX Runtime", "ort", "onnx_runtime.py", (INFER,), "f32-{work.size}-{work.batch}.onnx"),
    Contender("onnxruntime-int8", "ONNX Runtime", "ort", "onnx_runtime.py", (INT8,),
              "int8-qdq-{work.size}-{work.batch}.onnx"),
    Contender("openvino", "OpenVINO", "openvino", "intel_openvino.py", (INFER, BF16),
              "f32-{work.size}-{work.batch}.onnx"),
    Contender("openvino-nncf", "OpenVINO (nncf)", "openvino", "intel_openvino.py", (INT8,),
              "int8-nncf-{work.size}-{work.batch}.xml"),
    Contender("openvino-qdq", "OpenVINO (QDQ)", "openvino", "intel_openvino.py", (INT8,),
              "int8-qdq-{work.size}-{work.batch}.onnx"),
    # Without these, freed memory goes back to the system at each step, and page faults double the time of training.
    Contender("pytorch", "PyTorch", "torch", "pytorch.py", (INFER, TRAIN), variables=(
        ("MALLOC_MMAP_MAX_", "0"), ("MALLOC_TRIM_THRESHOLD_", "100000000000"))),
    Contender("tensorflow", "TensorFlow", "tf", "tensorflow_keras.py", (INFER, TRAIN)),
    Contender("moue-avx2", "moue, AVX2", works=(INFER, INT8, TRAIN), variables=(("MOUE_SIMD", "avx2"),)),
    Contender("moue-portable", "moue, portable", works=(INFER, INT8, TRAIN), variables=(("MOUE_SIMD", "portable"),)),
]


@dataclass(frozen=True)
class Goal:
    """The share of a peer's time that moue is to take with two threads."""

    work: str
    peers: tuple  # the fastest of these counts
    at_most: float
    aim: float


ORT, INT8_PEERS = ("onnxruntime",), ("onnxruntime-int8", "openvino-nncf", "openvino-qdq")
GOALS = [
    Goal("infer-f32-96-1", ORT, 0.90, 0.75),
    Goal("infer-f32-224-1", ORT, 0.90, 0.75),
    Goal("infer-f32-96-32", ORT, 0.90, 0.75),
    Goal("infer-int8-96-1", INT8_PEERS, 0.85, 0.6),
    Goal("infer-int8-96-32", INT8_PEERS, 0.85, 0.6),
    Goal("train-f32-96-24", ("pytorch",), 0.67, 0.5),
    Goal("train-f32-96-24", ("tensorflow",), 0.45, 0.3),
    Goal("train-f32-224-24", ("pytorch",), 0.80, 0.6),
]

# Process start to the answer for one photo: wall time in ms, resident memory in MB.
START_AT_MOST, START_AIM, START_MEMORY = 60, 30, 60
