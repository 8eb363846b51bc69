"""PyTorch: channels last, inference traced and frozen with its folded batch normalisation."""

import clock

args = clock.arguments()

import torch
from torch import nn

import network

torch.set_num_threads(args.threads)


def convolution(inputs, outputs, kernel, stride=1, groups=1, activation=True):
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return layers + [nn.ReLU6(inplace=True)] * activation


class Bottleneck(nn.Module):
    def __init__(self, inputs, expansion, outputs, stride):
        super().__init__()
        hidden = inputs * expansion
        self.shortcut = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            *(convolution(inputs, hidden, 1) if expansion > 1 else []),
            *convolution(hidden, hidden, 3, stride, hidden),
            *convolution(hidden, outputs, 1, activation=False),
        )

    def forward(self, x):
        return x + self.body(x) if self.shortcut else self.body(x)


def build():
    layers = convolution(3, network.STEM, 3, 2)
    layers += [Bottleneck(*block) for block in network.blocks()]
    layers += convolution(network.STAGES[-1][1], network.FEATURES, 1)
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    width = network.FEATURES
    for units in network.HEAD:
        layers += [nn.Linear(width, units), nn.ReLU()]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, network.CLASSES)).to(memory_format=torch.channels_last)


model = build()
pictures = torch.rand(args.batch, 3, args.size, args.size).to(memory_format=torch.channels_last)

if args.work == "infer":
    frozen = torch.jit.optimize_for_inference(torch.jit.trace(model.eval(), pictures))

    def call():
        with torch.inference_mode():
            frozen(pictures)
else:
    model.train()
    labels = torch.randint(0, network.CLASSES, (args.batch,))
    loss = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def call():
        optimizer.zero_grad(set_to_none=True)
        loss(model(pictures), labels).backward()
        optimizer.step()


clock.measure(call, args.seconds, f"PyTorch {torch.__version__}")
