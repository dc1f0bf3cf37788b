"""The rules of the order book once more, slowly: lists searched from end to end, nothing shared with the product."""


class SlowBook:
    def __init__(self, lowest, highest):
        self.lowest, self.highest = lowest, highest
        self.orders, self.resting, self.trades = [], [], []  # resting: numbers by time of entry

    def event(self, act, number, owner, side, tick, lots, shown, life, until, now):
        """Apply an event and return its outcome's name."""
        if act == 0:
            order = {"owner": owner, "side": side, "tick": tick, "tip": shown, "shown": 0, "hidden": 0}
            order["until"] = until if life == 1 else None
            self.orders.append(order)
            if side not in (0, 1) or life not in (0, 1, 2, 3):
                return "BAD_EVENT"
            if not self.lowest <= tick <= self.highest:
                return "BAD_PRICE"
            if lots <= 0 or not 0 <= shown <= lots or (shown and shown * 1000 < lots):
                return "BAD_LOTS"
            return self.enter(len(self.orders) - 1, lots, life, now)
        if act not in (1, 2):
            return "BAD_EVENT"
        if number not in self.resting:
            return "UNKNOWN"
        order = self.orders[number]
        if order["owner"] != owner:
            return "NOT_YOURS"
        if self.expired(number, now):
            self.resting.remove(number)
            return "EXPIRED"
        if act == 1:
            self.resting.remove(number)
            return "CANCELLED"
        if not self.lowest <= tick <= self.highest:
            return "BAD_PRICE"
        if lots <= 0 or (order["tip"] and order["tip"] * 1000 < lots):
            return "BAD_LOTS"
        total = order["shown"] + order["hidden"]
        if tick == order["tick"] and lots <= total:
            cut = total - lots
            unseen = min(cut, order["hidden"])
            order["hidden"] -= unseen
            order["shown"] -= cut - unseen
        else:
            self.resting.remove(number)
            order["tick"], order["tip"] = tick, min(order["tip"], lots)
            self.enter(number, lots, 0, now)
        return "REPLACED"

    def expired(self, number, now):
        until = self.orders[number]["until"]
        return until is not None and until <= now

    def against(self, number):
        """Return resting orders that a price would meet, best price first, then by time."""
        order = self.orders[number]
        sign = 1 if order["side"] == 0 else -1
        met = [k for k in self.resting if self.orders[k]["side"] != order["side"]]
        met = [k for k in met if sign * self.orders[k]["tick"] <= sign * order["tick"]]
        return sorted(met, key=lambda k: (sign * self.orders[k]["tick"], self.resting.index(k)))

    def available(self, number, now):
        found = 0
        met = [k for k in self.against(number) if not self.expired(k, now)]
        for tick in dict.fromkeys(self.orders[k]["tick"] for k in met):
            here = [k for k in met if self.orders[k]["tick"] == tick]
            owners = [self.orders[k]["owner"] for k in here]
            if self.orders[number]["owner"] in owners:
                before = here[: owners.index(self.orders[number]["owner"])]
                return found + sum(self.orders[k]["shown"] for k in before)
            found += sum(self.orders[k]["shown"] + self.orders[k]["hidden"] for k in here)
        return found

    def enter(self, number, lots, life, now):
        order = self.orders[number]
        if self.expired(number, now):
            return "EXPIRED"
        if life == 3 and self.available(number, now) < lots:
            return "REFUSED_FOK"
        while lots and (met := self.against(number)):
            k = met[0]
            other = self.orders[k]
            if self.expired(k, now):
                self.resting.remove(k)
                continue
            if other["owner"] == order["owner"]:
                return "STOPPED_SELF"
            traded = min(lots, other["shown"])
            self.trades.append((k, number, other["tick"], traded))
            lots -= traded
            other["shown"] -= traded
            if other["shown"] == 0:
                self.resting.remove(k)
                if other["hidden"]:
                    other["shown"] = min(other["tip"], other["hidden"])
                    other["hidden"] -= other["shown"]
                    self.resting.append(k)
        if lots == 0:
            return "FILLED"
        if life >= 2:
            return "ENDED"
        order["shown"] = min(order["tip"] or lots, lots)
        order["hidden"] = lots - order["shown"]
        self.resting.append(number)
        return "RESTS"
