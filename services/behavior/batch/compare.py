"""Holds two tables of features against each other: are they of the same payments, and equal?

    python compare.py STREAMED.csv OUT/features.csv

STREAMED.csv is what `behaviorctl export features` prints, OUT/features.csv what rebuild.py makes; either is a file, or a folder with the parts of one. Both are
in the order of the log's numbers and read side by side, so it takes no memory for the rows. For each feature it prints the greatest difference and where it
is. A difference is relative to the greater of the two values, and where both are less than a thousandth, to a thousandth: |a - b| / max(|a|, |b|, 0.001). Ends
with 1, and says what and where, if one is above 1e-6 (or no number), if a payment is in one table only, or a feature.
"""

import contextlib
import csv
import pathlib
import sys

MOST = 1e-6
# Below it a difference is not relative any more.
LEAST = 1e-3
# The first columns of both; the others are features.
KEYS = ["number", "id"]
# So many faults are told one by one.
TOLD = 10


def main(one, other):
    tables = [Table(one), Table(other)]
    faults = unpaired([table.features for table in tables], tables, "the feature")
    names = [name for name in tables[0].features if name in tables[1].features]
    greatest = {name: (0.0, "") for name in names}
    rows = above = alone = 0
    for pair in paired(tables):
        if None in pair:
            alone += 1
            row, place = next((row, place) for place, row in enumerate(pair) if row is not None)
            if alone <= TOLD:
                faults.append(f"payment {row['id']} (number {row['number']}) is in {tables[place].path} only")
            continue
        rows += 1
        for name in names:
            difference = between(float(pair[0][name]), float(pair[1][name]))
            # Not "difference > MOST": what is no number is above, too.
            if not difference <= MOST:
                above += 1
                if above <= TOLD:
                    faults.append(f"{name} of payment {pair[0]['id']}: {pair[0][name]} and {pair[1][name]}")
            if not difference <= greatest[name][0]:
                greatest[name] = (difference, pair[0]["id"])
    for name, (difference, payment) in greatest.items():
        print(f"{name:<28}{difference:>10.1e}  {payment}".rstrip())
    print(f"{rows} payments in both, {alone} in one only; {len(names)} features; {above} values differ by more than {MOST:g}")
    if rows == 0:
        faults.append("the tables have no payment in common")
    for fault in faults:
        print(f"compare: {fault}", file=sys.stderr)
    return 1 if faults else 0


def between(one, other):
    return abs(one - other) / max(abs(one), abs(other), LEAST)


def unpaired(features, tables, what):
    return [
        f"{what} {name} is in {tables[place].path} only"
        for place in (0, 1)
        for name in features[place]
        if name not in features[1 - place]
    ]


class Table:
    """A table of features: its columns and its rows, as they are read."""

    def __init__(self, path):
        self.path = path
        place = pathlib.Path(path)
        self.parts = sorted(place.glob("part-*")) if place.is_dir() else [place]
        self.columns = self.header(self.parts[0]) if self.parts else []
        if self.columns[: len(KEYS)] != KEYS:
            sys.exit(f"compare: {path} is no table of features: its first columns are not {', '.join(KEYS)}")
        self.features = self.columns[len(KEYS) :]

    def header(self, part):
        with part.open(encoding="ascii", newline="") as file:
            return next(csv.reader(said(file)), [])

    def rows(self):
        last = 0
        for part in self.parts:
            with part.open(encoding="ascii", newline="") as file:
                for row in csv.DictReader(said(file), strict=True):
                    if None in row or None in row.values() or list(row) != self.columns:
                        sys.exit(f"compare: {part}: a row has not the columns of the table: {row}")
                    row["number"] = int(row["number"])
                    if row["number"] <= last:
                        sys.exit(f"compare: {part}: number {row['number']} comes after {last}")
                    last = row["number"]
                    yield row


def said(file):
    """The lines that are no comments."""
    return (line for line in file if not line.startswith("#"))


def paired(tables):
    """Rows of the same payment; of one that only one table has, with None in the other's place."""
    with contextlib.ExitStack() as stack:
        one, other = (stack.enter_context(contextlib.closing(table.rows())) for table in tables)
        left, right = next(one, None), next(other, None)
        while left or right:
            if left and right and (left["number"], left["id"]) == (right["number"], right["id"]):
                yield left, right
                left, right = next(one, None), next(other, None)
            elif right is None or left and left["number"] <= right["number"]:
                yield left, None
                left = next(one, None)
            else:
                yield None, right
                right = next(other, None)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
