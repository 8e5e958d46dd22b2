#!/usr/bin/env python3
"""Makes the table of networks that `[places] file` names, of published tables that npm's client brings by name.

    python3 services/places.py OUT.csv [--without-operators]

Countries: @ip-location-db/geo-whois-asn-country (its package.json says CC0-1.0; its README names data of the NRO under CC BY 4.0).
Operators: @ip-location-db/asn (CC BY 4.0: RouteViews, DB-IP and the NRO are to be named wherever the data is given on); left out with --without-operators.

Each line is `first,last,country,asn`. Addresses whose country is not known are left out, for without a country nothing is said of a place. The file is written beside
its name and then put in its place, so that a service that starts meanwhile reads the one or the other.
"""

import csv
import ipaddress
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

COUNTRIES, OPERATORS = "@ip-location-db/geo-whois-asn-country", "@ip-location-db/asn"
HEAD = "first,last,country,asn"
# No table has more, and no row of one.
MOST_BYTES = 256 << 20


def fetched(package, folder):
    """The tables of a package by the family of their addresses, and what version it is."""
    packed = subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True)
    archive = pathlib.Path(folder, packed.stdout.strip().splitlines()[-1])
    stem, tables = package.split("/")[1], {}
    with tarfile.open(archive) as tar:
        for family in (4, 6):
            member = tar.getmember(f"package/{stem}-ipv{family}-num.csv")
            if member.size > MOST_BYTES:
                sys.exit(f"{package}: {member.name} has {member.size} bytes")
            lines = tar.extractfile(member).read().decode("utf-8").splitlines()
            tables[family] = [(int(first), int(last), what) for first, last, what, *_ in csv.reader(lines)]
    return tables, archive.name


def merged(countries, operators):
    """Both at once: for each range of a country the parts that one operator has, and those that none has."""
    place = 0
    for first, last, country in sorted(countries):
        if len(country) != 2 or not country.isascii() or not country.isupper() or country == "ZZ":
            continue
        while place < len(operators) and operators[place][1] < first:
            place += 1
        at, here = first, place
        while at <= last:
            if here == len(operators) or operators[here][0] > last:
                yield at, last, country, ""
                break
            begins, ends, operator = operators[here]
            if begins > at:
                yield at, begins - 1, country, ""
                at = begins
            yield at, min(ends, last), country, operator
            at, here = min(ends, last) + 1, here + 1


def joined(ranges):
    """Ranges that follow one another and say the same, as one; what overlaps with what stands before it, without that."""
    before = None
    for first, last, *said in ranges:
        if before and first <= before[1]:
            first = before[1] + 1
            if first > last:
                continue
        if before and first == before[1] + 1 and said == before[2]:
            before = (before[0], last, said)
            continue
        if before:
            yield before
        before = (first, last, said)
    if before:
        yield before


def main(out, with_operators):
    with tempfile.TemporaryDirectory() as folder:
        countries, version = fetched(COUNTRIES, folder)
        operators, other = fetched(OPERATORS, folder) if with_operators else ({4: [], 6: []}, None)
    out, count = pathlib.Path(out), 0
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    with beside.open("w", encoding="ascii") as file:
        print(HEAD, file=file)
        for family, kind in ((4, ipaddress.IPv4Address), (6, ipaddress.IPv6Address)):
            for first, last, (country, operator) in joined(merged(countries[family], sorted(operators[family]))):
                print(f"{kind(first)},{kind(last)},{country},{operator}", file=file)
                count += 1
    beside.replace(out)
    print(f"{out}: {count} networks of {version}" + (f" and {other}" if other else ""))


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--without-operators"]
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.exit(__doc__)
    main(arguments[0], "--without-operators" not in sys.argv)
