"""Solves the challenge on standard input with PyPI's altcha, which lies in the folder that is named."""

import json
import sys

sys.path.insert(0, sys.argv[1])

from altcha import Challenge, Payload, solve_challenge

challenge = Challenge.from_dict(json.load(sys.stdin))
solution = solve_challenge(challenge)
print(Payload(challenge, solution).to_base64())
