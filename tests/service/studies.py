"""Studies that have ended, with results that a test puts there."""

import json

from service.jobs import queue
from service.jobs.job import JobState

WANTED = {
    "offers": ("/api/v1/offers:build", {"day": "2015-07-15"}),
    "sweep": ("/api/v1/jobs", {"kind": "sweep", "case": "battery_1mwh"}),
    "trade_day": ("/api/v1/jobs", {"kind": "trade_day", "day": "2015-07-15", "paths": 4}),
}


def ended_study(http, app, kind, content, renamed=None):
    """Ask for a study, let it end with ``content`` as its result, and return its id; ``renamed`` makes it one of another kind."""
    store, results = app.state.backing.store, app.state.backing.results
    path, body = WANTED[kind]
    answer = http.post(path, json=body)
    assert answer.status_code == 202, answer.text
    job = http.portal.call(queue.claim, store, "test")
    folder = job.folder(results)
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(content if isinstance(content, str) else json.dumps(content))
    assert http.portal.call(queue.ended, store, job, JobState.DONE, "done")
    if renamed:
        http.portal.call(_rename, store, job.id, renamed)
    return job.id


async def _rename(store, job_id, kind):
    """Make a study one of another kind, whose inputs nobody has to make up then."""
    from service.store.work import JobRow

    async with store.everywhere() as session:
        (await session.get(JobRow, job_id)).kind = kind
