"""TensorFlow: the network of Keras' own applications, inference and training step each compiled into one graph."""

import os

import clock

args = clock.arguments()
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy
import tensorflow

import network

tensorflow.config.threading.set_intra_op_parallelism_threads(args.threads)
tensorflow.config.threading.set_inter_op_parallelism_threads(args.threads)
keras = tensorflow.keras

side = args.size
base = keras.applications.MobileNetV2(input_shape=(side, side, 3), include_top=False, pooling="avg", weights=None)
x = base.output
for units in network.HEAD:
    x = keras.layers.Dense(units, "relu")(x)
model = keras.Model(base.input, keras.layers.Dense(network.CLASSES)(x))
pictures = tensorflow.constant(numpy.random.rand(args.batch, side, side, 3).astype("float32"))

if args.work == "infer":
    answer = tensorflow.function(lambda pictures: model(pictures, training=False))

    def call():
        answer(pictures).numpy()
else:
    labels = tensorflow.constant(numpy.random.randint(0, network.CLASSES, args.batch))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(1e-4)

    @tensorflow.function
    def step():
        with tensorflow.GradientTape() as tape:
            value = loss(labels, model(pictures, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return value

    def call():
        step().numpy()


clock.measure(call, args.seconds, f"TensorFlow {tensorflow.__version__}")
