"""Trains the model of the behavior analytics and writes it as the table that `behavior::model` reads.

    python train.py FEATURES.csv MODEL.json

FEATURES.csv is what `behaviorctl features` prints: the service itself says what payments looked like, so that nothing can look another
way in training than in use. The same features make the same model, byte by byte: one thread, a fixed seed, pinned versions.
"""

import json
import sys

import lightgbm
import numpy

# The first line of FEATURES.csv, before the version.
VERSION = "# features_version "
NAME = "card-payments-1"

# More of these never makes a payment look more honest ...
UP = {
    "amount", "amount_deviations", "amount_ratio", "amount_robust", "amount_over_max", "count_1m", "count_1h", "count_24h",
    "sum_24h_ratio", "outliers_7d", "deviation_7d", "payee_risk_1d", "payee_risk_7d", "payee_risk_30d", "payee_run_frauds",
    "payee_run_share",
}
# ... and more of these never more suspicious. A reason that turned round from one value to the next would convince nobody.
DOWN = {"hour_usual", "payee_count"}

SETTINGS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "max_depth": 5,
    "min_data_in_leaf": 50,
    "seed": 1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
TREES = 100


def main(source, target):
    with open(source, encoding="ascii") as file:
        version, names = file.readline(), file.readline().strip().split(",")
    rows = numpy.loadtxt(source, delimiter=",", skiprows=2)
    if not version.startswith(VERSION) or names[-1] != "fraud" or rows.shape[1] != len(names):
        sys.exit(f"{source} is not what `behaviorctl features` prints")
    names, values, fraud = names[:-1], rows[:, :-1], rows[:, -1]
    constraints = [1 if name in UP else -1 if name in DOWN else 0 for name in names]
    data = lightgbm.Dataset(values, fraud, feature_name=names)
    booster = lightgbm.train({**SETTINGS, "monotone_constraints": constraints}, data, TREES)
    dump = booster.dump_model()
    used = sorted({feature for tree in dump["tree_info"] for feature in splits(tree["tree_structure"])})
    model = {
        "name": NAME,
        "trained": {
            "payments": len(rows),
            "frauds": int(fraud.sum()),
            "by": f"lightgbm {lightgbm.__version__}",
            "settings": {**SETTINGS, "trees": TREES},
        },
        "features_version": int(version.removeprefix(VERSION)),
        "features": [names[feature] for feature in used],
        "base": 0.0,
        "trees": [table(tree["tree_structure"], used) for tree in dump["tree_info"]],
    }
    check(model, booster, values[:2000], names)
    with open(target, "w", encoding="ascii") as file:
        file.write(text(model))
    print(f"{target}: {len(model['trees'])} trees, {len(used)} of {len(names)} features")


def splits(node):
    """The features that a tree asks for."""
    if "split_feature" not in node:
        return
    yield node["split_feature"]
    yield from splits(node["left_child"])
    yield from splits(node["right_child"])


def table(root, used):
    """A tree as rows of feature, threshold, lower child, upper child, value; a child stands after its parent, the first row is the root."""
    rows = []

    def add(node):
        place = len(rows)
        rows.append(None)
        if "split_feature" not in node:
            rows[place] = [None, 0.0, 0, 0, node["leaf_value"]]
            return place, node["leaf_value"], node.get("leaf_count", 1)
        if node["decision_type"] != "<=":
            sys.exit(f"a split by {node['decision_type']} cannot be written")
        lower, low, few = add(node["left_child"])
        upper, high, many = add(node["right_child"])
        # What the leaves below say on average: what is between it and a child's is what the answer moved.
        value = (low * few + high * many) / (few + many)
        rows[place] = [used.index(node["split_feature"]), node["threshold"], lower, upper, value]
        return place, value, few + many

    add(root)
    return rows


def check(model, booster, values, names):
    """The table says what the trained ensemble says."""
    places = [names.index(feature) for feature in model["features"]]
    said = booster.predict(values, raw_score=True)
    for row, expected in zip(values, said):
        total = model["base"]
        for tree in model["trees"]:
            node = tree[0]
            while node[0] is not None:
                node = tree[node[2] if row[places[node[0]]] <= node[1] else node[3]]
            total += node[4]
        if abs(total - expected) > 1e-9:
            sys.exit(f"the table says {total}, the ensemble {expected}")


def text(model):
    """JSON with a line for each tree: a change is seen where it is."""
    head = {name: value for name, value in model.items() if name != "trees"}
    trees = ",\n".join("    " + json.dumps(tree, separators=(",", ":")) for tree in model["trees"])
    return json.dumps(head, indent=2)[:-2] + ',\n  "trees": [\n' + trees + "\n  ]\n}\n"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
