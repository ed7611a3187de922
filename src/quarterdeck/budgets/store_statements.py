"""The statements with which money is reserved and settled, each of which does all of it at once."""

START = """CASE {period} WHEN 'total' THEN to_timestamp(0)
        WHEN 'day' THEN date_trunc('day', c.now AT TIME ZONE {zone}) AT TIME ZONE {zone}
        WHEN 'month' THEN date_trunc('month', c.now AT TIME ZONE {zone}) AT TIME ZONE {zone}
        ELSE date_trunc({period}, c.now, {zone}) END"""
"""When the window began in which `c.now` is, as SQL; days and months begin where clocks of the zone say so."""
END = """CASE {period} WHEN 'total' THEN NULL
        WHEN 'day' THEN (date_trunc('day', c.now AT TIME ZONE {zone}) + interval '1 day') AT TIME ZONE {zone}
        WHEN 'month' THEN (date_trunc('month', c.now AT TIME ZONE {zone}) + interval '1 month') AT TIME ZONE {zone}
        ELSE date_trunc({period}, c.now, {zone}) + ('1 ' || {period})::interval END"""
"""When it ends."""
# What a live budget says now; what the process believes where it is gone, or means another window by now.
_MOST = """coalesce((
        SELECT CASE WHEN {period} <> 'minute' THEN CASE {unit} WHEN 'usd' THEN b.max_micro_usd ELSE b.max_tokens END
            WHEN {unit} = 'requests' THEN b.rpm_limit ELSE b.tpm_limit END
        FROM qd.budgets b WHERE b.id = {budget} AND {period} IN ('minute', b.period)), {most})"""


def _asked(first: int) -> str:
    """The lines as they are asked for, from so many parameters on, with their windows by the database's clock."""
    of = {"period": "w.period", "zone": "w.zone", "unit": "w.unit", "budget": "w.budget", "most": "w.believed"}
    kinds = ("uuid", "text", "text", "text", "smallint", "smallint", "bigint", "bigint", "uuid")
    # Behind a SELECT the planner does not know how many there are, and keeps one plan instead of making one each time.
    arrays = ", ".join(f"(SELECT ${first + place}::{kind}[])" for place, kind in enumerate(kinds))
    return f"""
clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
asked AS MATERIALIZED (
    SELECT w.*, {START.format(**of)} AS starts, {END.format(**of)} AS ends, {_MOST.format(**of)} AS told
    FROM clock c, unnest({arrays})
        WITH ORDINALITY AS w (account, period, zone, unit, slot, slots, believed, amount, budget, n)
)"""


# Hold an amount in every line, or in none. `holds`: the attempt that still holds something for this call; `opened`:
# whether all accounts are there. Only if nobody holds anything and all are there, own slots are locked, in order, and
# judged by what they are then. Whether other slots have what one lacks (`elsewhere`) is told by a look that locks
# nothing. A cold account has one slot, whose grant follows the limit; a hot one's grants count only if they were made
# of no higher a limit. What costs nothing fits everywhere. New values are worked out of what was locked: those of a row
# as the statement first saw it would be held against constraints before it finds what others have made of it.
RESERVE = f"""
WITH {_asked(8)},
earlier AS MATERIALIZED (
    SELECT max(attempt) AS holds FROM qd.budget_reservations
    WHERE tenant = $1 AND run = $2 AND call = $3 AND state = 'reserved'
), lines AS MATERIALIZED (
    SELECT a.*, s.opened, s.spent, s.reserved, s.uncovered, s.own,
        CASE WHEN a.told < 0 THEN s.basis ELSE a.told END AS most
    FROM asked a CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(s.slot = a.slot), false) AS opened, coalesce(sum(s.spent), 0)::bigint AS spent,
            coalesce(sum(s.reserved), 0)::bigint AS reserved, coalesce(sum(s.uncovered), 0)::bigint AS uncovered,
            coalesce(sum(s.spent + s.reserved + s.uncovered) FILTER (WHERE s.slot = a.slot), 0)::bigint AS own,
            max(s.basis) AS basis
        FROM qd.budget_slots s
        WHERE s.account = a.account AND s.starts = a.starts AND (s.tenant = $1 OR s.tenant IS NULL)) s
    WHERE a.told >= 0 OR s.opened
), ready AS MATERIALIZED (
    SELECT e.holds, coalesce((SELECT bool_and(opened) FROM lines), true) AS opened FROM earlier e
), held AS MATERIALIZED (
    SELECT l.n, s.granted, s.basis, s.spent, s.reserved, s.spent + s.reserved + s.uncovered AS used
    FROM lines l JOIN qd.budget_slots s ON s.account = l.account AND s.starts = l.starts AND s.slot = l.slot
    WHERE (SELECT holds IS NULL AND opened FROM ready) AND (s.tenant = $1 OR s.tenant IS NULL)
    ORDER BY s.starts, s.account, s.slot FOR UPDATE OF s
), judged AS MATERIALIZED (
    SELECT l.n, l.amount = 0 OR h.used + l.amount
            <= CASE WHEN l.slots = 1 THEN l.most WHEN h.basis <= l.most THEN h.granted ELSE -1 END AS fits,
        l.slots > 1 AND l.spent + l.reserved + l.uncovered - l.own + h.used + l.amount <= l.most AS elsewhere,
        h.used - l.own AS since
    FROM lines l JOIN held h USING (n)
), verdict AS MATERIALIZED (
    SELECT r.holds, r.opened, r.holds IS NULL AND r.opened AND j.fit AS taken
    FROM ready r CROSS JOIN (
        SELECT coalesce(bool_and(fits), true) AND count(*) = (SELECT count(*) FROM lines) AS fit FROM judged) j
), written AS (
    UPDATE qd.budget_slots s SET spent = h.spent, reserved = h.reserved + l.amount,
        granted = CASE WHEN l.slots = 1 THEN greatest(l.most, h.spent + h.reserved + l.amount) ELSE h.granted END,
        basis = CASE WHEN l.slots = 1 THEN l.most ELSE h.basis END
    FROM lines l JOIN held h USING (n) CROSS JOIN verdict v
    WHERE v.taken AND s.account = l.account AND s.starts = l.starts AND s.slot = l.slot
      AND (s.tenant = $1 OR s.tenant IS NULL)
), kept AS (
    INSERT INTO qd.budget_reservations (tenant, run, call, at, attempt, accounts, starts, slots, units,
        micro_usd, tokens, requests)
    SELECT $1, $2, $3, c.now, $4, t.accounts, t.starts, t.slots, t.units, $5, $6, $7
    FROM verdict v, clock c, (
        SELECT coalesce(array_agg(account), '{{}}') AS accounts, coalesce(array_agg(starts), '{{}}') AS starts,
            coalesce(array_agg(slot), '{{}}') AS slots, coalesce(array_agg(unit), '{{}}') AS units FROM lines) t
    WHERE v.taken
)
SELECT v.holds, v.opened, v.taken, l.n::int AS n, l.most, l.amount, l.spent + coalesce(j.since, 0) AS spent, l.reserved,
    l.uncovered, l.ends, extract(epoch FROM l.ends - c.now)::float8 AS seconds, j.fits, j.elsewhere
FROM verdict v CROSS JOIN clock c LEFT JOIN lines l ON true LEFT JOIN judged j USING (n)
"""

# Open the accounts that are missing: all slots of those that nobody has opened in this window, and the run's own slot,
# without a grant, of those that others have opened with fewer. Whoever opens an account first opens all of it: others
# wait at its first slot.
OPEN = f"""
WITH {_asked(2)},
wanted AS MATERIALIZED (
    SELECT a.*, CASE WHEN e.of_tenant THEN $1::uuid END AS tenant, e.scope, e.whose, e.name,
        CASE WHEN a.slots = 1 AND a.unit = 'usd' THEN e.before ELSE 0 END AS before
    FROM asked a JOIN unnest($11::boolean[], $12::text[], $13::text[], $14::text[], $15::bigint[])
        WITH ORDINALITY AS e (of_tenant, scope, whose, name, before, n) USING (n)
    WHERE a.told >= 0
), described AS (
    INSERT INTO qd.budget_accounts (account, tenant, budget, name, scope, whose, period, unit)
    SELECT account, tenant, budget, name, scope, whose, period, unit FROM wanted ORDER BY account
    ON CONFLICT (account) DO NOTHING
), firsts AS (
    INSERT INTO qd.budget_slots (tenant, account, starts, ends, slot, granted, basis, spent)
    SELECT tenant, account, starts, ends, 0,
        CASE WHEN slots = 1 THEN greatest(told, before) ELSE told / slots + (told % slots > 0)::int END, told, before
    FROM wanted ORDER BY starts, account
    ON CONFLICT (account, starts, slot) DO NOTHING RETURNING account, starts
), rest AS (
    INSERT INTO qd.budget_slots (tenant, account, starts, ends, slot, granted, basis)
    SELECT w.tenant, w.account, w.starts, w.ends, g.slot, w.told / w.slots + (g.slot < w.told % w.slots)::int, w.told
    FROM wanted w JOIN firsts f USING (account, starts) CROSS JOIN LATERAL generate_series(1, w.slots - 1) AS g (slot)
    ORDER BY w.starts, w.account, g.slot
)
INSERT INTO qd.budget_slots (tenant, account, starts, ends, slot, granted, basis)
SELECT w.tenant, w.account, w.starts, w.ends, w.slot, 0, 0 FROM wanted w
WHERE w.slot > 0 AND NOT EXISTS (SELECT FROM firsts f WHERE f.account = w.account AND f.starts = w.starts)
ORDER BY w.starts, w.account
ON CONFLICT (account, starts, slot) DO NOTHING
"""

# Close reservations that were `picked`: those that are open, or presumed and known by now. All that they hold is given
# back, and what was used is booked, at most what was held; what lies beyond is uncovered.
_SETTLE = """
booked AS MATERIALIZED (
    SELECT p.*, p.state = 'presumed' AS again, p.state = 'reserved' OR (p.state = 'presumed' AND p.known) AS does
    FROM picked p
), counted AS MATERIALIZED (
    SELECT h.account, h.starts, h.slot, sum(CASE WHEN b.again THEN 0 ELSE u.held END)::bigint AS freed,
        sum(least(u.used, u.held) - CASE WHEN b.again THEN u.held ELSE 0 END)::bigint AS spent,
        sum(greatest(0, u.used - u.held))::bigint AS uncovered,
        sum(CASE WHEN NOT b.known THEN u.held WHEN b.again THEN -u.held ELSE 0 END)::bigint AS presumed
    FROM booked b CROSS JOIN LATERAL unnest(b.accounts, b.starts, b.slots, b.units) AS h (account, starts, slot, unit)
    CROSS JOIN LATERAL (
        SELECT CASE h.unit WHEN 'usd' THEN b.micro_usd WHEN 'tokens' THEN b.tokens ELSE b.requests END AS held,
            CASE h.unit WHEN 'usd' THEN b.now_micro_usd WHEN 'tokens' THEN b.now_tokens
                ELSE b.now_requests END AS used) u
    WHERE b.does GROUP BY h.account, h.starts, h.slot
), held AS MATERIALIZED (
    SELECT s.account, s.starts, s.slot, s.granted, s.spent, s.reserved, s.uncovered, s.presumed
    FROM counted c JOIN qd.budget_slots s USING (account, starts, slot)
    WHERE s.tenant = $1 OR s.tenant IS NULL
    ORDER BY s.starts, s.account, s.slot FOR UPDATE OF s
), written AS (
    UPDATE qd.budget_slots s SET granted = h.granted, reserved = h.reserved - c.freed, spent = h.spent + c.spent,
        uncovered = h.uncovered + c.uncovered, presumed = h.presumed + c.presumed
    FROM counted c JOIN held h USING (account, starts, slot)
    WHERE s.account = c.account AND s.starts = c.starts AND s.slot = c.slot AND (s.tenant = $1 OR s.tenant IS NULL)
), closed AS (
    UPDATE qd.budget_reservations r SET settled_at = clock_timestamp(), used_micro_usd = b.now_micro_usd,
        used_tokens = b.now_tokens, used_requests = b.now_requests,
        state = CASE WHEN NOT b.known THEN 'presumed'
            WHEN b.now_micro_usd = 0 AND b.now_tokens = 0 THEN 'returned' ELSE 'spent' END
    FROM booked b
    WHERE b.does AND r.tenant = $1 AND r.run = b.run AND r.call = b.call AND r.at = b.at
)
SELECT call, CASE WHEN NOT does AND state <> 'presumed' OR does AND known
        THEN least(micro_usd, CASE WHEN does THEN now_micro_usd ELSE used_micro_usd END) ELSE 0 END AS spent,
    greatest(0, CASE WHEN does THEN now_micro_usd ELSE used_micro_usd END - micro_usd) AS uncovered,
    CASE WHEN does AND NOT known OR NOT does AND state = 'presumed' THEN micro_usd ELSE 0 END AS presumed
FROM booked
"""

# One call's: the reservation that is open, else the last one.
SETTLE_CALL = f"""
WITH picked AS MATERIALIZED (
    SELECT r.*, $4::boolean AS known, CASE WHEN $4 THEN $5::bigint ELSE r.micro_usd END AS now_micro_usd,
        CASE WHEN $4 THEN $6::bigint ELSE r.tokens END AS now_tokens,
        CASE WHEN $4 THEN $7::bigint ELSE r.requests END AS now_requests
    FROM qd.budget_reservations r WHERE r.tenant = $1 AND r.run = $2 AND r.call = $3
    ORDER BY r.state = 'reserved' DESC, r.at DESC LIMIT 1 FOR UPDATE
), {_SETTLE}
"""

# All that a run still holds. The closing slice is never presumed to be spent.
SETTLE_RUN = f"""
WITH picked AS MATERIALIZED (
    SELECT r.*, r.call = 'closing' AS known, CASE WHEN r.call = 'closing' THEN 0 ELSE r.micro_usd END AS now_micro_usd,
        CASE WHEN r.call = 'closing' THEN 0 ELSE r.tokens END AS now_tokens,
        CASE WHEN r.call = 'closing' THEN 0 ELSE r.requests END AS now_requests
    FROM qd.budget_reservations r WHERE r.tenant = $1 AND r.run = $2 AND r.state = 'reserved'
    ORDER BY r.call, r.at FOR UPDATE
), {_SETTLE}
"""

_PLACE = {"period": "$3::text", "zone": "$4::text", "unit": "$7::text", "budget": "$6::uuid", "most": "$5::bigint"}

# A hot account's slots in the window of now, and its limit.
SLOTS = f"""
WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now)
SELECT s.slot, s.granted, s.basis, s.spent, s.reserved, s.uncovered, s.starts,
    coalesce(s.promised > c.now, false) AS promised, {_MOST.format(**_PLACE)} AS most
FROM clock c JOIN qd.budget_slots s ON s.account = $2::uuid AND s.starts = {START.format(**_PLACE)}
WHERE s.tenant = $1 OR s.tenant IS NULL ORDER BY s.slot
"""

# The same, held until the transaction ends.
SLOTS_HELD = f"{SLOTS} FOR UPDATE OF s"

# Give slots new grants, all of one limit, and keep what one of them got for a moment.
REGRANT = """
UPDATE qd.budget_slots s SET granted = g.granted, basis = $6,
    promised = CASE WHEN s.slot = $7 THEN clock_timestamp() + $8::interval ELSE s.promised END
FROM unnest($4::smallint[], $5::bigint[]) AS g (slot, granted)
WHERE s.account = $2 AND s.starts = $3 AND s.slot = g.slot AND (s.tenant = $1 OR s.tenant IS NULL)
"""
