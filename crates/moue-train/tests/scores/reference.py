"""Writes reference.json: scores of scikit-learn for made-up answers, which tests/scores.rs compares.

Needs scikit-learn (1.4 or newer). Run: python3 crates/moue-train/tests/scores/reference.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn import metrics

random = np.random.default_rng(20130613)
classes = 7
rows = 240
# No row of class 1 and hardly an answer for class 5: divisions by zero and nearly so.
labels = random.choice([0, 2, 3, 4, 5, 6], size=rows)
logits = random.normal(size=(rows, classes)) * 1.5
logits[np.arange(rows), labels] += 1.2
logits[:, 5] -= 9
probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
probabilities = probabilities.astype(np.float32).round(6)
answers = probabilities.argmax(axis=1)
every = list(range(classes))
precision, recall, f1, support = metrics.precision_recall_fscore_support(
    labels, answers, labels=every, zero_division=0
)

# Expected calibration error as in Guo et al. 2017: fifteen bins, closed above.
confidence = probabilities.max(axis=1).astype(np.float64)
place = np.clip(np.ceil(confidence * 15).astype(int) - 1, 0, 14)
right = answers == labels
ece = sum(
    abs(right[place == b].mean() - confidence[place == b].mean()) * (place == b).mean()
    for b in range(15)
    if (place == b).any()
)

reference = {
    "labels": labels.tolist(),
    "probabilities": [[float(f"{p:.6f}") for p in row] for row in probabilities],
    "accuracy": metrics.accuracy_score(labels, answers),
    "balanced_accuracy": metrics.balanced_accuracy_score(labels, answers)
    if set(answers) <= set(labels)
    else float(recall[support > 0].mean()),
    "macro_f1": metrics.f1_score(labels, answers, labels=every, average="macro", zero_division=0),
    "log_loss": metrics.log_loss(labels, probabilities, labels=every),
    "ece": float(ece),
    "confusion": metrics.confusion_matrix(labels, answers, labels=every).tolist(),
    "precision": precision.tolist(),
    "recall": recall.tolist(),
    "f1": f1.tolist(),
    "support": support.tolist(),
}
path = Path(__file__).with_name("reference.json")
path.write_text(json.dumps(reference) + "\n")
