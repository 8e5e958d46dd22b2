"""What a payment looked like before it was learned, written anew from what the features are said to mean (`services/behavior/src/features`, `profiles`).

Plain Python without Spark: a profile is folded from the lines of one user, or of one payee, in the order of the log. It shares nothing with the service's code,
so that the two can be held against each other. Another feature is a function and a line in `OF_USER` or `OF_PAYEE`.
"""

from bisect import bisect_right
from math import sqrt

MINUTE, HOUR, DAY, WEEK = 60, 3_600, 86_400, 604_800
# The least amount that something is divided by.
CENT = 0.01
# No amount counts as more.
AMOUNT_LIMIT = 1e12
# Of a user, so many payments are remembered however old they are, and never more than the second figure.
KEPT, REMEMBERED = 32, 256
# Of so many payees a user's payments are counted.
PAYEES = 64
# What is tried at a user's door counts by spans of so many seconds; the last of them are remembered, with so many failed logins in each, and the first devices.
SPAN, SPANS, MOST, DEVICES = 300, 324, 65_535, 16
# A payee's days that are kept, and what a day counts to.
DAYS, MANY = 48, 65_535
# A payment is judged after so many days; frauds further apart are two stories.
JUDGED_AFTER, APART = 7, 14


class Usual:
    """A mean and a variance that fade; what lies more than three deviations away is learned as if it were three."""

    def __init__(self):
        self.count, self.mean, self.variance = 0, 0.0, 0.0

    def deviation(self):
        return max(sqrt(self.variance), abs(self.mean) * 0.05, 0.01)

    def deviations(self, value):
        return (value - self.mean) / self.deviation() if self.count >= 3 else 0.0

    def learn(self, value):
        if self.count >= 3:
            reach = 3 * self.deviation()
            value = min(max(value, self.mean - reach), self.mean + reach)
        self.count = min(self.count + 1, 100)
        weight = 1 / self.count
        away = value - self.mean
        self.mean += weight * away
        self.variance = (1 - weight) * (self.variance + weight * away * away)


class User:
    """What is known of who pays."""

    def __init__(self):
        # The remembered payments in the order of their time: three lists, so that a span of time is a slice.
        self.times, self.amounts, self.deviations = [], [], []
        self.usual = Usual()
        # Payments in each hour of the week, from Monday 00:00 UTC on.
        self.week = [0] * 168
        # The last time and the count of each payee.
        self.payees = {}
        self.door = Door()

    def span(self, at, length):
        """Where the payments of the `length` seconds up to `at` stand."""
        return slice(bisect_right(self.times, at - length), bisect_right(self.times, at))

    def learn(self, at, payee, amount):
        place = bisect_right(self.times, at)
        self.times.insert(place, at)
        self.amounts.insert(place, amount)
        self.deviations.insert(place, self.usual.deviations(amount))
        # What is a week old goes if it is none of the last 32, and what is more than 256 goes anyway.
        old = bisect_right(self.times, self.times[-1] - WEEK)
        forgotten = max(min(old, len(self.times) - KEPT), len(self.times) - REMEMBERED, 0)
        for remembered in (self.times, self.amounts, self.deviations):
            del remembered[:forgotten]
        self.usual.learn(amount)
        hour = (at // HOUR + 3 * 24) % 168
        self.week[hour] += 1
        if self.week[hour] >= 250:
            self.week = [count // 2 for count in self.week]
        last, count = self.payees.pop(payee, (at, 0))
        if len(self.payees) >= PAYEES:
            # Keys are hexadecimal of one length: of two of the same second the smaller is forgotten.
            del self.payees[min(self.payees, key=lambda key: (self.payees[key][0], key))]
        self.payees[payee] = (max(last, at), count + 1)


class Door:
    """What happened at a user's door. How well a device's key is kept it does not remember: no line of the log says which device a payment came from."""

    def __init__(self):
        # Failed logins, the last of them, and whether somebody got in on a device that was not known, of each span.
        self.spans = {}
        # Since when each device is there, and the last change of a second factor.
        self.devices, self.changed = {}, None

    def span(self, at):
        """What is to be said of the span of a moment; nothing stays if it is too long ago."""
        tried = self.spans.setdefault(at // SPAN, [0, None, False])
        oldest = max(self.spans) - SPANS
        self.spans = {span: kept for span, kept in self.spans.items() if span > oldest}
        return tried

    def failed(self, at):
        tried = self.span(at)
        tried[0] = min(tried[0] + 1, MOST)
        tried[1] = at if tried[1] is None else max(at, tried[1])

    def logged_in(self, at, detail):
        if detail != "known_device":
            self.span(at)[2] = True

    def enrolled(self, at, device):
        self.devices[device] = min(at, self.devices.get(device, at))
        if len(self.devices) > DEVICES:
            del self.devices[max(self.devices, key=self.devices.get)]

    def second_factor(self, at):
        self.changed = at if self.changed is None else max(at, self.changed)

    def failures_of(self, first, last):
        """How many came in the spans from that of the first moment to that of the last."""
        return sum(failed for span, (failed, _, _) in self.spans.items() if first // SPAN <= span <= last // SPAN)


# What each kind of event is to it, of when it happened, which device it names, and what else it says.
AT_THE_DOOR = {
    "login": lambda door, at, _, detail: door.logged_in(at, detail),
    "failed_login": lambda door, at, _device, _detail: door.failed(at),
    # Where somebody was counts beside where a payment is asked for from, and that the log does not say.
    "seen": lambda _door, _at, _device, _detail: None,
    "device": lambda door, at, device, _: door.enrolled(at, device),
    "second_factor": lambda door, at, _device, _detail: door.second_factor(at),
}


class Payee:
    """What is known of who is paid."""

    def __init__(self):
        # Payments and frauds of each day that is kept, and the newest day that was heard of.
        self.days, self.newest = {}, None
        # First and last day of the frauds that go on.
        self.run = None

    def day(self, day):
        """The counts of a day; nothing if it is too long ago."""
        if self.newest is None or day > self.newest:
            self.newest = day
            self.days = {kept: counts for kept, counts in self.days.items() if kept > day - DAYS}
        return self.days.setdefault(day, [0, 0]) if day > self.newest - DAYS else None

    def sum(self, first, last):
        """Payments and frauds of the days from `first` to `last`."""
        within = [counts for day, counts in self.days.items() if first <= day <= last]
        return sum(payments for payments, _ in within), sum(frauds for _, frauds in within)

    def learn(self, at):
        counts = self.day(at // DAY)
        if counts:
            counts[0] = min(counts[0] + 1, MANY)

    def learn_fraud(self, at):
        paid = at // DAY
        counts = self.day(paid)
        if counts:
            counts[1] = min(counts[1] + 1, MANY)
        if self.run is None or paid > self.run[1] + APART:
            self.run = (paid, paid)
        elif paid >= self.run[0] - APART:
            self.run = (min(self.run[0], paid), max(self.run[1], paid))

    def unlearn_fraud(self, at):
        counts = self.day(at // DAY)
        if not counts:
            return
        counts[1] = max(counts[1] - 1, 0)
        if counts[1] > 0:
            return
        # The last frauds of those that are still kept, as far back as none of them lies apart from the next.
        frauds = sorted((day for day, counts in self.days.items() if counts[1] > 0), reverse=True)
        self.run = (frauds[0], frauds[0]) if frauds else None
        for day in frauds:
            if self.run[0] - day > APART:
                break
            self.run = (day, self.run[1])


class Paying:
    """A payment beside its user."""

    def __init__(self, user, at, payee, amount):
        self.user, self.at, self.payee, self.amount = user, at, payee, amount
        last = user.amounts[-KEPT:]
        self.median = upper_median(last) if last else amount
        self.away = upper_median([abs(amount - self.median) for amount in last]) if last else 0.0

    def count(self, length):
        return float(len(self.user.times[self.user.span(self.at, length)]))

    def amounts(self, length):
        return self.user.amounts[self.user.span(self.at, length)]

    def deviations(self, length):
        return self.user.deviations[self.user.span(self.at, length)]


def upper_median(values):
    return sorted(values)[len(values) // 2]


def amount_robust(paying):
    return (paying.amount - paying.median) / max(1.4826 * paying.away, paying.median / 20, CENT)


def amount_over_max(paying):
    greatest = max(paying.amounts(WEEK), default=0.0)
    return paying.amount / max(greatest, CENT) if greatest > 0 else 1.0


def sum_24h_ratio(paying):
    return (sum(paying.amounts(DAY)) + paying.amount) / max(sum(paying.amounts(WEEK)) / 7, paying.median, CENT)


def hour_usual(paying):
    by_hour = [sum(paying.user.week[hour::24]) for hour in range(24)]
    hour = paying.at // HOUR % 24
    near = by_hour[hour] + (by_hour[hour - 1] + by_hour[(hour + 1) % 24]) / 2
    return (near + 2) / (sum(by_hour) + 24) * 12


def hours_since_last(paying):
    before = bisect_right(paying.user.times, paying.at)
    return min((paying.at - paying.user.times[before - 1]) / HOUR, 720.0) if before else 720.0


def days(seconds):
    """Days, 99 at most and of what never was."""
    return 99.0 if seconds is None else min(seconds / DAY, 99.0)


def newest_device_days(paying):
    _first, *others = sorted(paying.user.door.devices.values()) or [None]
    there = [since for since in others if since <= paying.at]
    return days(paying.at - max(there) if there else None)


def minutes_since_failed_login(paying):
    lasts = [last for span, (_, last, _) in paying.user.door.spans.items() if last is not None and span <= paying.at // SPAN]
    return min(max(paying.at - max(lasts), 0) / MINUTE, 1_440.0) if lasts else 1_440.0


def failed_before_login(paying):
    door, at = paying.user.door, paying.at
    logins = [span * SPAN for span, (_, _, got_in) in door.spans.items() if got_in and (at - DAY) // SPAN <= span <= at // SPAN]
    return float(max((door.failures_of(login - 2 * HOUR, login) for login in logins), default=0))


def second_factor_days(paying):
    changed = paying.user.door.changed
    return days(None if changed is None else max(paying.at - changed, 0))


OF_USER = {
    "amount": lambda paying: paying.amount,
    "amount_deviations": lambda paying: paying.user.usual.deviations(paying.amount),
    "amount_ratio": lambda paying: paying.amount / max(paying.median, CENT),
    "amount_robust": amount_robust,
    "amount_over_max": amount_over_max,
    "count_1m": lambda paying: paying.count(MINUTE),
    "count_1h": lambda paying: paying.count(HOUR),
    "count_24h": lambda paying: paying.count(DAY),
    "count_7d": lambda paying: paying.count(WEEK),
    "sum_24h_ratio": sum_24h_ratio,
    "outliers_7d": lambda paying: float(sum(deviations > 3 for deviations in paying.deviations(WEEK))),
    "deviation_7d": lambda paying: max(paying.deviations(WEEK) + [0.0]),
    "hour_usual": hour_usual,
    "hours_since_last": hours_since_last,
    "payee_count": lambda paying: float(paying.user.payees.get(paying.payee, (0, 0))[1]),
    "known_payments": lambda paying: float(paying.user.usual.count),
    # Of no device and no place: the log does not say from where a payment came.
    "device_days": lambda _: days(None),
    "device_level": lambda _: 2.0,
    "newest_device_days": newest_device_days,
    "failed_logins_1h": lambda paying: float(paying.user.door.failures_of(paying.at - HOUR, paying.at)),
    "failed_logins_24h": lambda paying: float(paying.user.door.failures_of(paying.at - DAY, paying.at)),
    "minutes_since_failed_login": minutes_since_failed_login,
    "failed_before_login": failed_before_login,
    "second_factor_days": second_factor_days,
    "country_days": lambda _: days(None),
    "network_days": lambda _: days(None),
    "travel_speed": lambda _: 0.0,
    "countries_around_1h": lambda _: 0.0,
    "networks_around_1h": lambda _: 0.0,
}


class Paid:
    """A payment beside its payee."""

    def __init__(self, payee, at):
        self.payee, self.today = payee, at // DAY
        self.run = payee.run

    def risk(self, length):
        """The share of fraud in the judged payments of `length` days."""
        last = self.today - JUDGED_AFTER
        return share(self.payee.sum(last - length + 1, last))

    def payments(self, length):
        return float(self.payee.sum(self.today - length + 1, self.today)[0])

    def of_run(self):
        """Payments and frauds since the first fraud that goes on: those that are judged, and up to the last fraud."""
        return self.payee.sum(self.run[0], max(self.today - JUDGED_AFTER, self.run[1])) if self.run else (0, 0)

    def days_since(self, which):
        """Days since the first (0) or the last (1) fraud that goes on."""
        return float(min(max(self.today - self.run[which], 0), 99)) if self.run else 99.0


def share(counts):
    payments, frauds = counts
    return frauds / payments if payments else 0.0


OF_PAYEE = {
    "payee_risk_1d": lambda paid: paid.risk(1),
    "payee_risk_7d": lambda paid: paid.risk(7),
    "payee_risk_30d": lambda paid: paid.risk(30),
    "payee_paid_30d": lambda paid: paid.payments(30),
    "payee_run_frauds": lambda paid: float(paid.of_run()[1]),
    "payee_run_share": lambda paid: share(paid.of_run()),
    "payee_run_days": lambda paid: paid.days_since(0),
    "payee_run_silence_days": lambda paid: paid.days_since(1),
    "payee_surge": lambda paid: paid.payments(2) / max(paid.payments(30) / 15, 1.0),
}


def of_users(lines):
    """Folds lines of `(user, number, kind, at, payee, amount, device, detail)`, sorted by the first two. Of each payment its number and what `OF_USER` says."""
    of, user = None, None
    for key, number, kind, at, payee, amount, device, detail in lines:
        if key != of:
            of, user = key, User()
        if kind in AT_THE_DOOR:
            AT_THE_DOOR[kind](user.door, at, device, detail)
            continue
        amount = min(max(amount, 0.0), AMOUNT_LIMIT)
        paying = Paying(user, at, payee, amount)
        yield (number, *(feature(paying) for feature in OF_USER.values()))
        user.learn(at, payee, amount)


def of_payees(lines):
    """Folds lines of `(payee, number, at, label, before)`, sorted by the first two; a payment has no label. Of each payment its number and what `OF_PAYEE` says."""
    of, payee = None, None
    for key, number, at, label, before in lines:
        if key != of:
            of, payee = key, Payee()
        if label is None:
            paid = Paid(payee, at)
            yield (number, *(feature(paid) for feature in OF_PAYEE.values()))
            payee.learn(at)
        elif label == "fraud":
            payee.learn_fraud(at)
        elif before == "fraud":
            payee.unlearn_fraud(at)
