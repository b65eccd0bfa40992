"""Writes the reference lists of croniter: `python reference.py > croniter-7.0.0.txt`.

Needs croniter 7.0.0 (`pip install croniter==7.0.0 tzdata`) and Python 3.9 or
later. For each rule and zone: how many instants 2024 and 2025 have away from
clock changes and a hash of them, and all instants of the hours around each change.
"""

import hashlib
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

ZONES = [
    "America/Los_Angeles", "Europe/Berlin", "Australia/Sydney", "Australia/Lord_Howe",
    "America/Santiago", "Africa/Cairo", "Africa/Casablanca", "Asia/Kolkata",
]

# A rule as croniter has it follows the `=`, where it is not the same: it has the
# last Friday as L5, and only it knows nothing of `?`.
RULES = """
0 * * * *
30 * * * *
*/15 * * * *
7-59/20 */3 * * *
15,45 1-23/2 * * *
0 0 * * *
30 0 * * *
0 1 * * *
30 1 * * *
0 2 * * *
15 2 * * *
30 2 * * *
0 3 * * *
30 3 * * *
0,30 0-3 * * *
*/20 1-2 * * *
0 */2 * * *
0 */3 * * *
5 4-22/6 * * *
0 12 * * *
59 23 * * *
0 6 * * mon-fri
30 2 * * sun
30 2 * * 0
30 2 * * 7
0 9 * * 6,7
0 0 * * 1-5/2
0 0 1 * *
0 2 1 * *
0 0 31 * *
0 0 29 2 *
15 10 1,15 * *
0 0 13 * 5
0 12 1-7 * mon
0 0 */10 * *
0 8 1 1,4,7,10 *
0 8 * jan-mar sat
45 23 31 12 *
0 0 L * *
0 3 L * *
0 10 * * 5L = 0 10 * * L5
0 9 * * 1#2
0 9 * * 2#1,4#3
30 2 * 3,4,10,11 0
0 0 ? * 3 = 0 0 * * 3
30 30 2 * * *
0,30 15 6 * * 1
0 0 12 1 * * 2025
15 30 1 * 4,10,11 0 2024-2025
@hourly
@daily
@weekly
@monthly
@yearly
"""

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
END = datetime(2026, 1, 1, tzinfo=timezone.utc)

# How far from a change instants are listed, in seconds.
NEAR = 4 * 3600


def changes(zone):
    """The moments at which the offset changes, to the second."""
    found, step = [], timedelta(hours=1)
    at = START
    while at < END:
        if at.astimezone(zone).utcoffset() != (at + step).astimezone(zone).utcoffset():
            low, high = at, at + step
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                same = middle.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(int(high.timestamp()))
        at += step
    return found


def instants(rule, zone):
    begin = (START - timedelta(seconds=1)).astimezone(zone)
    fields = len(rule.split())
    walk = croniter(rule, begin, second_at_beginning=fields > 5)
    found = []
    while True:
        try:
            at = walk.get_next(float)
        except Exception:  # croniter knows no more
            return found
        if at >= END.timestamp():
            return found
        found.append(int(at))


def main():
    for name in sys.argv[1:] or ZONES:
        zone = ZoneInfo(name)
        near = changes(zone)
        print(f"zone {name} {' '.join(map(str, near))}")
        for line in RULES.strip().splitlines():
            ours, _, theirs = line.partition(" = ")
            found = instants(theirs or ours, zone)
            windows = [[] for _ in near]
            rest = []
            for at in found:
                for window, change in zip(windows, near):
                    if abs(at - change) <= NEAR:
                        window.append(at - change)
                        break
                else:
                    rest.append(at)
            digest = hashlib.sha256("\n".join(map(str, rest)).encode()).hexdigest()[:16]
            shown = " | ".join(",".join(map(str, window)) for window in windows)
            print(f"{ours} ; {len(rest)} {digest} ; {shown}".rstrip())
            sys.stdout.flush()


if __name__ == "__main__":
    main()
