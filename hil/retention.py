"""Which commands a journal may drop: those that are over, proven and of no use to anybody who decides something now."""

import sqlite3

AT_MOST = 200
"""So many commands go at once, so that no command waits for a backlog."""
OVER = """
SELECT c.id FROM commands c JOIN outcomes o ON o.command = c.id
WHERE c.deadline < :before AND o.at < :before AND o.outcome <> 'maybe'
  AND c.epoch < (SELECT MAX(d.epoch) FROM commands d WHERE d.device = c.device AND d.quantity = c.quantity)
  AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.command = c.id AND a.at >= :before)
  AND NOT EXISTS (SELECT 1 FROM groups g, json_each(g.members) m
                  WHERE g.closed_at IS NULL AND json_extract(m.value, '$[0]') = c.id)
ORDER BY c.epoch LIMIT :most
"""
"""Kept are: what has no outcome or an unproven one, the newest command of every point, whatever belongs to an open group, and every
frame that counts for a register's budget."""
LOOSE = """
SELECT o.command FROM outcomes o
WHERE o.at < :before AND NOT EXISTS (SELECT 1 FROM commands c WHERE c.id = o.command) LIMIT :most
"""
"""What was refused, and so never became a command."""


def drop_over(db: sqlite3.Connection, before: str) -> int:
    """Drop commands that were over before an instant, with all that was recorded of them; returns how many went."""
    values = {"before": before, "most": AT_MOST}
    found = [(row[0],) for query in (OVER, LOOSE) for row in db.execute(query, values)]
    for table, column in (("attempts", "command"), ("events", "command"), ("outcomes", "command"), ("commands", "id")):
        db.executemany(f"DELETE FROM {table} WHERE {column} = ?", found)  # noqa: S608 - names from the line above
    # of leases and of what was only shown nothing but events is kept
    loose = "SELECT seq FROM events e WHERE at < :before AND NOT EXISTS (SELECT 1 FROM commands c WHERE c.id = e.command) LIMIT :most"
    db.execute(f"DELETE FROM events WHERE seq IN ({loose})", values)  # noqa: S608 - a fixed text
    db.execute("DELETE FROM groups WHERE closed_at IS NOT NULL AND closed_at < :before", values)
    return len(found)
