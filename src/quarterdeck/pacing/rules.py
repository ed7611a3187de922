"""How limits are learned: cut when a provider refuses, let grow again, and never beyond what is known. Pure.

A refusal cuts a rate by a tenth, by more where that did not help. It grows back fast as long as it is far from where it
was refused, slowly around that rate, and faster again once it is well above it: so it stays near the limit most of the
time, and asks for more now and then. Instants are seconds since 1970, rates are a minute.
"""

from dataclasses import replace

from quarterdeck.pacing.records import Lane, Rate, Told, Unit

MARGIN = 0.97
"""Share of a known limit that is used: clocks differ, and estimates of tokens are put right only afterwards."""
COOLING = 2.0
"""Seconds in which several refusals count as one: they answer calls that were sent together."""
HOLD = 1.0
"""Seconds for which nobody asks after a refusal that does not say how long."""
LONGEST_HOLD = 3600.0
FIRST_CUT, EARLY_CUT, CUT, NEXT_CUT = 0.5, 0.65, 0.9, 0.8
"""What is left of a rate: of one that was only measured, of one that was growing fast and never was refused before, of
any other, and of one that was cut within the last `SOON` seconds and is still too much."""
SOON = 10.0
_NEAR, _ABOVE = 0.85, 1.05
_SLOWLY, _ABOVE_IT, _FAST, _FIRST = 0.002, 0.01, 0.05, 0.3
"""Growth a second: around the rate that was refused, above it, below it, and before any refusal has shown it."""
_CALLS = 0.0003
"""Slow growth a call: where calls are few, a provider is not asked for more at every few of them."""
_BINDING = 0.3
"""Share of a guess that has to be in use for it to grow."""
PRESSED = 5.0
"""Seconds for which a lane counts as in demand after somebody had to wait."""
FORGET = 600.0
"""Seconds without refusal and without demand after which a limit that was only guessed is given up."""
SLOWEST = 0.5


def choose(lane: Lane, requests: float | None, tokens: float | None) -> Lane:
    """The limits that the connection's options set, or none."""
    return replace(lane, requests=_chosen(lane.requests, requests), tokens=_chosen(lane.tokens, tokens))


def learn(lane: Lane, told: Told) -> Lane:
    """What the provider says its limits are. What it does not mention stays as it was."""
    requests, tokens = lane.requests, lane.tokens
    if told.requests:
        requests = _within(replace(requests, told=float(told.requests)))
    if told.tokens:
        tokens = _within(replace(tokens, told=float(told.tokens)))
    return replace(lane, requests=requests, tokens=tokens)


def teaches(lane: Lane | None, told: Told) -> bool:
    """Whether it says anything that is not known yet."""
    if lane is None:
        return bool(told.requests or told.tokens)
    return bool(
        (told.requests and told.requests != lane.requests.told) or (told.tokens and told.tokens != lane.tokens.told)
    )


def refuse(lane: Lane, told: Told, sent_at: float, now: float, measured: tuple[float, float]) -> Lane:
    """The provider refused a call that was sent at `sent_at`: all wait for as long as it says, and rates are cut.

    `measured` is what the caller has asked a minute, in calls and tokens: all there is to go by where nothing is known.
    """
    lane = learn(lane, told)
    hold = min(told.retry_after or HOLD, LONGEST_HOLD)
    lane = replace(lane, held_until=max(lane.held_until, now + hold), refusals=lane.refusals + 1)
    if sent_at < lane.cut_at or now - lane.cut_at < COOLING:
        return lane  # it answers what was sent before the cut
    units = _exhausted(told)
    requests, tokens = lane.requests, lane.tokens
    again = now - lane.cut_at < SOON
    if requests.now is None and tokens.now is None and not any(measured):
        # So few calls say nothing about a rate: to wait as long as the provider says is all that can be done.
        return lane
    if Unit.REQUESTS in units:
        requests = _cut(requests, lane.requests_used, measured[0], again=again)
    if Unit.TOKENS in units:
        tokens = _cut(tokens, lane.tokens_used, measured[1], again=again)
    return replace(lane, requests=requests, tokens=tokens, cut_at=now, grown_at=now, pressed_at=now)


def grow(lane: Lane, now: float) -> Lane:
    """The same lane a while later: back towards what is known, or a little beyond what was refused.

    Itself where nothing changes.
    """
    since = min(now - lane.grown_at, 5.0)
    if since <= 0 or now < lane.held_until:
        return lane
    pressed = now - lane.pressed_at < PRESSED
    if not pressed and now - lane.cut_at > FORGET:
        requests, tokens = _forgotten(lane.requests), _forgotten(lane.tokens)
    else:
        calls = lane.requests_used / 60
        requests = _grown(lane.requests, lane.requests_used, since, pressed=pressed, calls=calls)
        tokens = _grown(lane.tokens, lane.tokens_used, since, pressed=pressed, calls=calls)
    if (requests, tokens) == (lane.requests, lane.tokens):
        return lane
    return replace(lane, requests=requests, tokens=tokens, grown_at=now)


def room(lane: Lane, reach: float, now: float) -> tuple[float, float]:
    """How many calls and tokens the lane has room for within `reach` seconds."""
    open_for = reach - max(0.0, lane.held_until - now)
    if open_for <= 0:
        return 0.0, 0.0
    return (
        float("inf") if lane.requests.now is None else max(1.0, lane.requests.now / 60 * open_for),
        float("inf") if lane.tokens.now is None else max(1.0, lane.tokens.now / 60 * open_for),
    )


def turn_in(lane: Lane, calls: float, tokens: float, now: float) -> float:
    """Seconds until the turn of somebody comes who has so many calls with so many tokens before them."""
    ahead = [0.0]
    if lane.requests.now is not None:
        ahead.append(calls / lane.requests.now * 60)
    if lane.tokens.now is not None:
        ahead.append(tokens / lane.tokens.now * 60)
    return max(ahead) + max(0.0, lane.held_until - now)


def _chosen(rate: Rate, limit: float | None) -> Rate:
    if limit is None and rate.chosen is not None and rate.told is None:
        return Rate()  # nothing else was known of it
    return _within(replace(rate, chosen=limit))


def _within(rate: Rate) -> Rate:
    most = rate.most
    if most is None:
        return rate
    if rate.now is None or rate.now > most * MARGIN or rate.refused is None:
        return replace(rate, now=most * MARGIN)
    return rate


def _exhausted(told: Told) -> frozenset[Unit]:
    """What a refusal is about; both where it does not say."""
    found = {
        unit
        for unit, left in ((Unit.REQUESTS, told.requests_left), (Unit.TOKENS, told.tokens_left))
        if left is not None and left <= 0
    }
    if not found and told.requests_left and told.tokens_left is not None:
        found = {Unit.TOKENS}  # some are left, and too few for this call
    return frozenset(found or set(Unit))


def _cut(rate: Rate, used: float, measured: float, *, again: bool) -> Rate:
    if rate.now is None:
        # Where nothing was counted there is nothing to cut: whatever was guessed would hold everybody up.
        return replace(rate, now=max(SLOWEST, measured * FIRST_CUT)) if measured > 0 else rate
    if rate.refused is None and rate.most is None:
        share = EARLY_CUT
    else:
        share = NEXT_CUT if again else CUT
    # A guess may be above what went out when it was refused. What was used lags behind while a rate grows fast.
    base = rate.now if rate.most is not None else min(rate.now, max(2 * used, rate.now / 4))
    return replace(rate, now=max(SLOWEST, base * share), refused=base)


def _grown(rate: Rate, used: float, since: float, *, pressed: bool, calls: float) -> Rate:
    if rate.now is None:
        return rate
    most = None if rate.most is None else rate.most * MARGIN
    if most is not None and rate.now >= most:
        return rate
    if most is None and not (pressed and used >= rate.now * _BINDING):
        return rate  # nobody is kept from asking more by it, so nothing would be learned by allowing more
    grown = rate.now * (1 + _speed(rate, rate.now, calls if most is None else float("inf"))) ** since
    return replace(rate, now=grown if most is None else min(most, grown))


def _speed(rate: Rate, now: float, calls: float) -> float:
    """Growth a second, where so many calls are made in one."""
    if rate.refused is None:
        return _FIRST
    if now < rate.refused * _NEAR:
        return _FAST
    return min(_SLOWLY if now < rate.refused * _ABOVE else _ABOVE_IT, calls * _CALLS)


def _forgotten(rate: Rate) -> Rate:
    return Rate() if rate.most is None else replace(rate, now=rate.most * MARGIN, refused=None)
