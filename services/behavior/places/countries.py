"""Makes `countries.csv`: where each country lies and how far it reaches, from Natural Earth's outlines at 1:50 million (public domain).

    npm pack world-atlas@2.0.2 iso-3166-1@2.1.1    # unpacked beside each other: world-atlas/, iso-3166-1/
    python3 countries.py world-atlas/countries-50m.json iso-3166-1/dist/iso-3166.js > countries.csv

A country is a circle here: its middle is that of its largest piece, and it reaches as far as the farthest point of any piece that has a five-hundredth of that
one's area. Between two circles lies no more than between any two places in them, so who is thought to have travelled has travelled at least so far, but for small
islands (Hawaii) that are in no circle.
"""

import json
import re
import sys
from math import asin, ceil, cos, radians, sin, sqrt

RADIUS = 6_371.0
# Pieces that lie further than this from the middle have codes of their own in ISO 3166-1 (GF, GP, MQ, RE, YT; SJ; BQ).
OWN_CODES = {"FR": 2_000, "NO": 1_500, "NL": 1_000}
LEAST = 1 / 500


def distance(one, other):
    (x, y), (u, v) = ([radians(angle) for angle in place] for place in (one, other))
    half = sin((v - y) / 2) ** 2 + cos(y) * cos(v) * sin((u - x) / 2) ** 2
    return 2 * RADIUS * asin(sqrt(min(half, 1.0)))


def area_and_middle(ring):
    """Of a ring on the plane on which a degree of longitude is as wide as in the middle of the ring."""
    wide = cos(radians(sum(y for _, y in ring) / len(ring)))
    twice = east = north = 0.0
    for (x, y), (u, v) in zip(ring, ring[1:] + ring[:1]):
        cross = x * v - u * y
        twice, east, north = twice + cross, east + (x + u) * cross, north + (y + v) * cross
    return abs(twice) / 2 * wide, (east / 3 / twice, north / 3 / twice) if twice else ring[0]


def rings(topology):
    """The outer rings of each country, by its numeric code."""
    (scale_x, scale_y), (move_x, move_y) = topology["transform"]["scale"], topology["transform"]["translate"]

    def arc(index):
        x = y = 0
        points = []
        for step_x, step_y in topology["arcs"][index if index >= 0 else ~index]:
            x, y = x + step_x, y + step_y
            points.append((x * scale_x + move_x, y * scale_y + move_y))
        return points if index >= 0 else points[::-1]

    for geometry in topology["objects"]["countries"]["geometries"]:
        pieces = {"Polygon": lambda arcs: [arcs], "MultiPolygon": lambda arcs: arcs}[geometry["type"]](geometry["arcs"])
        yield geometry.get("id"), [unwrapped([point for index in outer for point in arc(index)]) for outer, *_ in pieces]


def unwrapped(ring):
    """A ring that does not jump where the day changes."""
    points = [ring[0]]
    for x, y in ring[1:]:
        points.append((x - round((x - points[-1][0]) / 360) * 360, y))
    return points


def main(atlas, codes):
    named = re.findall(r"country: (?:'((?:\\'|[^'])*)'|\"([^\"]*)\"),\s+alpha2: '(\w\w)',\s+alpha3: '\w+',\s+numeric: '(\d+)'", open(codes, encoding="utf-8").read())
    names = {number: (code, (one or other).replace("\\'", "'")) for one, other, code, number in named}
    rows = {}
    for number, pieces in rings(json.load(open(atlas, encoding="utf-8"))):
        # Antarctica lies around a pole, where such a middle means nothing.
        if number not in names or names[number][0] == "AQ":
            continue
        code, name = names[number]
        sized = [(*area_and_middle(ring), ring) for ring in pieces]
        largest, middle, _ = max(sized, key=lambda piece: piece[0])
        counted = [ring for area, _, ring in sized if area >= largest * LEAST]
        reach = max(away for ring in counted for point in ring if (away := distance(middle, point)) <= OWN_CODES.get(code, 20_100))
        known = rows.get(code)
        if known is None or known[0] < largest:
            rows[code] = (largest, f"{code},{middle[1]:.1f},{(middle[0] + 180) % 360 - 180:.1f},{ceil(reach / 10) * 10},{name}")
    print("code,latitude,longitude,reach_km,name")
    for _, row in sorted(rows.items()):
        print(row[1])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
