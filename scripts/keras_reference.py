#!/usr/bin/env python3
"""Records what Keras computes, for the tests of moue-graph and moue-cpu.

Writes, relative to the root of the checkout,

    crates/moue-graph/tests/fixtures/keras_summary.json
        every row of `summary()` of MobileNetV2 (alpha 1.0, 224x224x3) with the 128-64-7 head, and the
        parameter counts of the backbone for the published width multipliers;
    crates/moue-graph/tests/fixtures/keras_mobilenet_v1.json
        the same of MobileNet, the first version, without a head;
    crates/moue-cpu/tests/fixtures/keras_mobilenet_v2.json
        MobileNetV2 (alpha 0.35) with the same head: logits, losses and the weights after three Adam
        steps, once with all layers trained and once with the first half of the backbone frozen.

Usage: python scripts/keras_reference.py     (any Python with tensorflow >= 2.16, which brings Keras 3)

Weights, pictures and labels come from a formula of integers and one rounding, so that the tests build
the same bits (crates/moue-cpu/tests/reference/keras_formula.rs). Everything is computed in float64, so
that the reference carries no rounding worth mentioning, and again in float32: the deviation between the
two is recorded, since a float32 engine can hardly do better than Keras itself.
"""

import json
import os
import pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# The float32 run is to be Keras' plain arithmetic, the same on every processor.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import keras
import numpy as np
import tensorflow as tf

ROOT = pathlib.Path(__file__).resolve().parent.parent
MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
SEED = 2026
CLASSES = 7
STEPS = 3
SAMPLES = 32
# Keras' default of 1e-7 turns the rounding noise of gradients that are zero into steps of full size, which
# push a value near a kink to either side of it: what follows is then a matter of luck.
EPSILON = 1e-4

CASES = [
    {"name": "all layers", "height": 32, "width": 32, "count": 8, "frozen_through": None},
    # Odd and even sides at every stage; batch normalisation of frozen layers keeps its statistics.
    {"name": "first half frozen", "height": 41, "width": 48, "count": 6, "frozen_through": "block_8_add"},
]


def stream(name, count):
    """`count` float64 values uniform in [0, 1): SplitMix64 seeded with FNV-1a over the name."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001B3) & MASK
    state ^= (SEED * GOLDEN) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def initial_value(name, shape):
    """The float32 value of a weight `layer/parameter`.

    Normalisation before a ReLU6 is shifted to 0.5..2.5: most values then lie between the two kinks,
    some beyond each. With shifts around 0 a network of this depth is chaotic: float32 instead of
    float64 changes the weights after three steps as much as the steps themselves do.
    """
    uniform = stream(name, int(np.prod(shape)))
    layer, parameter = name.rsplit("/", 1)
    if parameter in ("gamma", "moving_variance"):
        values = 0.5 + uniform
    elif parameter == "beta" and not layer.endswith("_project_BN"):
        values = 0.5 + 2.0 * uniform
    elif parameter in ("beta", "moving_mean", "bias"):
        values = (2.0 * uniform - 1.0) * 0.2
    else:
        # He-uniform: a depthwise kernel [h, w, channels, 1] reads one channel.
        fan_in = np.prod(shape[:2]) if parameter == "depthwise_kernel" else np.prod(shape[:-1])
        values = (2.0 * uniform - 1.0) * np.sqrt(6.0 / float(fan_in))
    return values.astype(np.float32).reshape(shape)


def pictures(case):
    """NHWC pictures in [0, 1): squares of 8x8 pixels with noise of a quarter of the range on them."""
    count, height, width = case["count"], case["height"], case["width"]
    rows, columns = -(-height // 8), -(-width // 8)
    noise = stream("noise", count * height * width * 3).reshape(count, height, width, 3)
    squares = stream("squares", count * rows * columns * 3).reshape(count, rows, columns, 3)
    squares = squares.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]
    return (0.75 * squares + 0.25 * noise).astype(np.float32)


def labels(case):
    return np.floor(stream("labels", case["count"]) * CLASSES).astype(np.int64)


def add_head(backbone):
    x = keras.layers.GlobalAveragePooling2D(name="global_average_pooling2d")(backbone.output)
    x = keras.layers.Dense(128, activation="relu", name="dense")(x)
    x = keras.layers.Dense(64, activation="relu", name="dense_1")(x)
    x = keras.layers.Dense(CLASSES, activation="softmax", name="dense_2")(x)
    return keras.Model(backbone.input, x, name=backbone.name)


def mobilenet_v2(alpha, height, width):
    return keras.applications.MobileNetV2(
        alpha=alpha, input_shape=(height, width, 3), include_top=False, weights=None
    )


def mobilenet_v1(alpha, height, width):
    return keras.applications.MobileNet(
        alpha=alpha, input_shape=(height, width, 3), include_top=False, weights=None
    )


def parameter_name(layer, weight):
    """The name in weight files; in memory Keras 3 calls a depthwise kernel plainly `kernel`."""
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D) and weight.name == "kernel"
    return "depthwise_kernel" if depthwise else weight.name


def named_weights(model):
    for layer in model.layers:
        for weight in layer.weights:
            yield f"{layer.name}/{parameter_name(layer, weight)}", weight


def run(case, floatx):
    """Logits before and after, losses and final weights, all computed in `floatx`."""
    keras.backend.clear_session()
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    model = add_head(mobilenet_v2(0.35, case["height"], case["width"]))
    if case["frozen_through"]:
        for layer in model.layers:
            layer.trainable = False
            if layer.name == case["frozen_through"]:
                break
    for name, weight in named_weights(model):
        weight.assign(initial_value(name, tuple(weight.shape)).astype(floatx))
    features = keras.Model(model.input, model.get_layer("dense_1").output)
    last = model.get_layer("dense_2")
    x, y = pictures(case).astype(floatx), labels(case)

    def logits():
        hidden = np.asarray(features(x, training=False))
        return hidden @ np.asarray(last.kernel) + np.asarray(last.bias)

    optimizer = keras.optimizers.Adam(learning_rate=1e-3, epsilon=EPSILON)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy()
    before, losses, correct = logits(), [], []
    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            probabilities = model(x, training=True)
            loss = cross_entropy(y, probabilities)
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        optimizer.apply(gradients, model.trainable_variables)
        losses.append(float(loss))
        correct.append(int(np.sum(np.argmax(probabilities, axis=1) == y)))
    weights = {name: np.asarray(weight).astype(np.float64) for name, weight in named_weights(model)}
    assert all(np.isfinite(w).all() for w in weights.values())
    assert before.dtype == floatx and probabilities.dtype == floatx
    return {"before": before, "losses": losses, "correct": correct, "after": logits(), "weights": weights}


def short(values):
    """Nine digits tell all float32 values apart."""
    return [float(f"{v:.9g}") for v in np.asarray(values, dtype=np.float64).ravel()]


def record(case):
    exact, rounded = run(case, "float64"), run(case, "float32")
    weights, deviations = {}, []
    for name, value in exact["weights"].items():
        flat = value.ravel()
        k = min(SAMPLES, flat.size)
        weights[name] = {
            "shape": list(value.shape),
            "sum": float(f"{flat.sum():.12g}"),
            "norm": float(f"{np.sqrt(np.square(flat).sum()):.12g}"),
            # Every value at index `i * size / k`, rounded down.
            "samples": short(flat[np.arange(k) * flat.size // k]),
        }
        deviations.append(np.abs(rounded["weights"][name] - value).ravel())
    deviations = np.concatenate(deviations)
    frozen_weights = [n for n in weights if np.array_equal(exact["weights"][n], initial_value(n, exact["weights"][n].shape))]
    result = {
        **case,
        "labels": labels(case).tolist(),
        "logits": short(exact["before"]),
        "losses": short(exact["losses"]),
        "correct": exact["correct"],
        "logits_after": short(exact["after"]),
        # What three steps in float32 instead of float64 change, in Keras itself.
        "float32_deviation": {
            "logits": float(np.abs(rounded["before"] - exact["before"]).max()),
            "losses": short(np.abs(np.subtract(rounded["losses"], exact["losses"]))),
            "logits_after": float(np.abs(rounded["after"] - exact["after"]).max()),
            "weights_max": float(deviations.max()),
            "weights_mean": float(deviations.mean()),
            "weights_share_above_1e-5": float((deviations > 1e-5).mean()),
        },
        # The formula at work, to find a mistake in it before one in the engine.
        "pictures_start": short(pictures(case).ravel()[:8]),
        "initial": {n: short(initial_value(n, exact["weights"][n].shape).ravel()[:4]) for n in weights},
        "unchanged": len(frozen_weights),
        "weights": weights,
    }
    deviation = json.dumps(result["float32_deviation"])
    print(f"{case['name']}: losses {result['losses']}, float32 deviates by {deviation}")
    return result


def layer_rows(model):
    rows = []
    for layer in model.layers:
        inputs = [t._keras_history.operation.name for t in layer._inbound_nodes[0].input_tensors]
        rows.append(
            {
                "name": layer.name,
                "class": type(layer).__name__,
                "shape": list(layer.output.shape[1:]),
                "params": layer.count_params(),
                "inputs": inputs,
                "weights": [[parameter_name(layer, w), list(w.shape)] for w in layer.weights],
            }
        )
    return rows


def plain_session():
    keras.backend.clear_session()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def counts(build, alphas):
    no_top = {}
    for alpha in alphas:
        backbone = build(alpha, 224, 224)
        trainable = int(sum(np.prod(w.shape) for w in backbone.trainable_weights))
        no_top[str(alpha)] = {"total": backbone.count_params(), "trainable": trainable}
    return no_top


def mobilenet_v1_facts():
    plain_session()
    rows = layer_rows(mobilenet_v1(1.0, 224, 224))
    without_head = counts(mobilenet_v1, (0.25, 0.5, 0.75, 1.0))
    return {"keras": keras.__version__, "rows": rows, "totals": [], "without_head": without_head}


def summary_facts():
    plain_session()
    model = add_head(mobilenet_v2(1.0, 224, 224))
    lines = []
    model.summary(print_fn=lambda text, **_: lines.extend(text.splitlines()), line_length=150)
    rows = layer_rows(model)
    no_top = counts(mobilenet_v2, (0.35, 0.5, 0.75, 1.0, 1.3, 1.4))
    totals = [line for line in lines if "params:" in line]
    return {"keras": keras.__version__, "rows": rows, "totals": totals, "without_head": no_top}


def write(path, value):
    path = ROOT / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value + "\n")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


def main():
    for name, facts in (("summary", summary_facts()), ("mobilenet_v1", mobilenet_v1_facts())):
        rows = ",\n".join("  " + json.dumps(row) for row in facts.pop("rows"))
        head = json.dumps(facts)[1:-1]
        write(f"crates/moue-graph/tests/fixtures/keras_{name}.json", f"{{{head}, \"rows\": [\n{rows}\n]}}")
    cases = ",\n".join(json.dumps(record(case)) for case in CASES)
    head = json.dumps({"keras": keras.__version__, "alpha": 0.35, "classes": CLASSES, "learning_rate": 1e-3, "epsilon": EPSILON})[1:-1]
    write("crates/moue-cpu/tests/fixtures/keras_mobilenet_v2.json", f"{{{head}, \"cases\": [\n{cases}\n]}}")


if __name__ == "__main__":
    main()
