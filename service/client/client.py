"""The client of a running service.

with Client("http://127.0.0.1:8700", key) as park:
    plan = park.latest_plan()
    draft = park.draft("Battery holds the noon peak", plan.start, plan.start + timedelta(hours=1), plan=plan.id, assets=["battery"])
    park.apply(park.approve(draft))
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from secrets import token_hex
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel

from models.errors import JouletwinError
from models.ports import Quality
from service.api.alarms.schemas import AlarmsOut
from service.api.jobs.schemas import JobOut, JobPage
from service.api.monitoring.schemas import HealthOut, SitePage, SiteSummary, SnapshotOut
from service.api.operations.schemas import PlanOut, ReceiptPage
from service.api.people.schemas import AuditPage, KeyMade, UserOut, WhoOut
from service.api.problems import Problem, ProblemFinding
from service.api.schedules.schemas import ScheduleOut, SchedulePage, TraceOut
from service.api.snapshots.schemas import PastSnapshotOut, PastSnapshotPage
from service.api.telemetry.schemas import KeptOut, MeansOut, PointsOut
from service.auth.roles import Role
from service.client.customers import Customers, Versioned

Answer = TypeVar("Answer", bound=BaseModel)
TIMEOUT_S = 30.0
LOOK_S = 0.25
TRIES = 3
BUSY = (429, 503)


class RefusedError(JouletwinError):
    """The service said no; ``status`` and ``findings`` say why."""

    def __init__(self, problem: Problem) -> None:
        self.status = problem.status
        self.findings: Sequence[ProblemFinding] = tuple(problem.findings)
        found = "".join(f"\n  {f.place}: {f.message}" for f in problem.findings)
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}{found}")


class Client:
    """Asks a service; ``key`` None where it is open to its own machine. Every change carries a key of its own and may be sent again."""

    def __init__(self, address: str, key: str | None = None, *, http: httpx.Client | None = None) -> None:
        self._http = http or httpx.Client(base_url=address.rstrip("/"), timeout=TIMEOUT_S)
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.customers = Customers(self._get, self._post)

    def __enter__(self) -> Self:
        """Give the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._http.close()

    def set_up(self, secret: str, name: str, password: str) -> WhoOut:
        """Be the first person here, with the secret that the service printed, and log in."""
        return self._post(WhoOut, "setup", {"secret": secret, "name": name, "password": password})

    def log_in(self, name: str, password: str, code: str = "") -> WhoOut:
        """Log in as a person; programs have a key instead."""
        return self._post(WhoOut, "session", {"name": name, "password": password, "code": code})

    def me(self) -> WhoOut:
        """Return who this client is, and with which roles."""
        return self._get(WhoOut, "session")

    def add_user(self, name: str, password: str, roles: Sequence[Role]) -> UserOut:
        """Make a user."""
        return self._post(UserOut, "users", {"name": name, "password": password, "roles": list(roles)})

    def add_key(self, name: str, roles: Sequence[Role]) -> KeyMade:
        """Make a key for a program; its secret is told once, in the answer."""
        return self._post(KeyMade, "keys", {"name": name, "roles": list(roles)})

    def audit(self, before: int | None = None) -> AuditPage:
        """Return who did what, newest first."""
        return self._get(AuditPage, "audit", before=before)

    def health(self) -> HealthOut:
        """Return whether the service does its work, and the site's time."""
        return self._get(HealthOut, "health")

    def sites(self) -> list[SiteSummary]:
        """Return the sites that run here."""
        return self._get(SitePage, "sites").items

    def snapshot(self) -> SnapshotOut:
        """Return what every asset does now."""
        return self._get(SnapshotOut, "snapshot")

    def alarms(self) -> AlarmsOut:
        """Return every alarm that stands."""
        return self._get(AlarmsOut, "alarms")

    def snapshots(self, start: datetime, end: datetime, every_s: float = 0.0) -> Iterator[PastSnapshotOut]:
        """Yield what the site did and held in ``start <= t < end``, oldest first, at least ``every_s`` apart."""
        asked: dict[str, object] = {
            "start": start.isoformat(),
            "end": end.isoformat(),
            "every_s": every_s,
            "limit": 500,
        }
        after: int | None = 0
        while after is not None:
            page = self._get(PastSnapshotPage, "snapshots", **asked, after=after)
            yield from page.items
            after = page.next

    def put_points(self, series: Mapping[str, Sequence[tuple[datetime, float | None]]]) -> KeptOut:
        """Keep points of series, named with their units; all of them or nothing."""
        rows = [
            {"tag": tag, "at": [at.isoformat() for at, _ in points], "value": [value for _, value in points]}
            for tag, points in series.items()
        ]
        return self._post(KeptOut, "telemetry", {"series": rows})

    def points(self, tag: str, start: datetime, end: datetime) -> Iterator[tuple[datetime, float | None, Quality]]:
        """Yield the points of a series in order of time."""
        begin: datetime | None = start
        while begin is not None:
            page = self._get(PointsOut, f"telemetry/points/{tag}", start=begin.isoformat(), end=end.isoformat())
            yield from zip(page.at, page.value, page.quality, strict=True)
            begin = page.next

    def means(self, tags: Sequence[str], start: datetime, end: datetime, every_s: int = 900) -> MeansOut:
        """Return means of several series over equal intervals."""
        asked = {"start": start.isoformat(), "end": end.isoformat(), "every_s": every_s}
        return self._get(MeansOut, "telemetry/means", tag=list(tags), **asked)

    def latest_plan(self, wait_s: float = 0.0) -> PlanOut:
        """Return the newest plan; wait for the first one up to ``wait_s``."""
        end = monotonic() + wait_s
        while True:
            try:
                return self._get(PlanOut, "plans/latest")
            except RefusedError as fault:
                if fault.status != 503 or monotonic() > end:
                    raise
            sleep(LOOK_S)

    def receipts(self, limit: int = 50) -> ReceiptPage:
        """Return what became of the last commands."""
        return self._get(ReceiptPage, "receipts", limit=limit)

    def draft(
        self,
        title: str,
        start: datetime,
        end: datetime,
        setpoints_kw: Mapping[str, Sequence[tuple[datetime, float]]] | None = None,
        *,
        plan: str = "",
        assets: Sequence[str] = (),
    ) -> ScheduleOut:
        """Draft a schedule: set-points of one's own, or what a plan has for some assets."""
        steps = {a: [{"at": at.isoformat(), "kw": kw} for at, kw in rows] for a, rows in (setpoints_kw or {}).items()}
        wanted: dict[str, Any] = {"title": title, "start": start.isoformat(), "end": end.isoformat()}
        wanted |= {"setpoints_kw": steps, "plan_id": plan, "assets": list(assets)}
        return self._post(ScheduleOut, "schedules", wanted)

    def schedule(self, schedule_id: str) -> ScheduleOut:
        """Return a schedule as it is now."""
        return self._get(ScheduleOut, f"schedules/{schedule_id}")

    def schedules(self) -> Iterator[ScheduleOut]:
        """Yield every schedule, newest first."""
        before: str | None = None
        while True:
            page = self._get(SchedulePage, "schedules", limit=100, before=before)
            yield from page.items
            if (before := page.next) is None:
                return

    def approve(self, schedule: ScheduleOut) -> ScheduleOut:
        """Approve a draft as it was read; RefusedError (412) when somebody has changed it."""
        return self._post(ScheduleOut, f"schedules/{schedule.id}/approve", None, read=schedule)

    def apply(self, schedule: ScheduleOut, lease_s: float = 3600.0) -> ScheduleOut:
        """Put a schedule in force, or renew it, for so much of the site's time."""
        return self._post(ScheduleOut, f"schedules/{schedule.id}/apply", {"lease_s": lease_s}, read=schedule)

    def cancel(self, schedule: ScheduleOut) -> ScheduleOut:
        """End a schedule; what it commanded is the loop's again."""
        return self._post(ScheduleOut, f"schedules/{schedule.id}/cancel", None, read=schedule)

    def trace(self, thing_id: str, wait_s: float = 0.0) -> TraceOut:
        """Return the chain around a plan, a schedule or a command; wait for the first command in it up to ``wait_s``."""
        end = monotonic() + wait_s
        while not (found := self._get(TraceOut, f"trace/{thing_id}")).commands and monotonic() < end:
            sleep(LOOK_S)
        return found

    def ask(self, kind: str, **request: Any) -> JobOut:
        """Ask for a study (``ask("dispatch", day="2015-07-15")``)."""
        return self._post(JobOut, "jobs", {"kind": kind, **request})

    def job(self, job_id: str) -> JobOut:
        """Return how far a job is."""
        return self._get(JobOut, f"jobs/{job_id}")

    def jobs(self) -> JobPage:
        """Return the newest jobs."""
        return self._get(JobPage, "jobs")

    def wait(self, job: JobOut, seconds: float = 600.0) -> JobOut:
        """Return a job when it has ended, or as far as it is after so long."""
        end = monotonic() + seconds
        while not job.state.final and monotonic() < end:
            sleep(LOOK_S)
            job = self.job(job.id)
        return job

    def end_job(self, job: JobOut) -> JobOut:
        """Cancel a job."""
        return JobOut.model_validate_json(self._asked("DELETE", f"jobs/{job.id}").content)

    def result(self, job: JobOut, form: str = "json") -> bytes:
        """Return a job's result as a file's content: json, csv, parquet, nc or xlsx, as far as the kind has it."""
        return self._asked("GET", f"jobs/{job.id}/result", params={"format": form}).content

    def _get(self, kind: type[Answer], path: str, **params: object) -> Answer:
        given = {k: v if isinstance(v, list) else str(v) for k, v in params.items() if v is not None}
        return kind.model_validate_json(self._asked("GET", path, params=given).content)

    def _post(
        self, kind: type[Answer], path: str, body: object, *, read: Versioned | None = None, method: str = "POST"
    ) -> Answer:
        headers = {"Idempotency-Key": token_hex(16)}
        if read is not None:
            headers["If-Match"] = f'"{read.version}"'
        more = {} if body is None else {"content" if isinstance(body, bytes) else "json": body}
        return kind.model_validate_json(self._asked(method, path, headers=headers, **more).content)

    def _asked(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Return the answer; a lost connection and a busy service are tried again, since nothing is done twice."""
        headers = self._headers | more.pop("headers", {})
        for tried in range(1, TRIES + 1):
            try:
                answer = self._http.request(method, f"/api/v1/{path}", headers=headers, **more)
            except httpx.TransportError:
                if tried == TRIES:
                    raise
                sleep(LOOK_S * tried)
                continue
            if answer.status_code not in BUSY or tried == TRIES or path == "plans/latest":
                return _accepted(answer)
            sleep(min(float(answer.headers.get("retry-after", 1)), 5.0))
        raise AssertionError("the last try returns or raises")


def _accepted(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValueError:  # not our service, or something in between
        detail = f"{answer.url} answers with something that is no problem document; is it Jouletwin?"
        problem = Problem(title=answer.reason_phrase, status=answer.status_code, detail=detail, instance="")
    raise RefusedError(problem)
