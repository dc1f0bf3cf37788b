"""What the routes say of themselves: who may come in, what they are about, and a request made from the examples of their description."""

import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from fastapi.routing import APIRoute, iter_route_contexts

from service.api.access import May, backing_of, caller
from service.api.fields import Running
from service.auth.roles import MAY, Role

SITE_ONLY = Running.__metadata__[0].dependency


class About(Enum):
    """What a route is about; what belongs to somebody else is answered as if it were not there."""

    SITE = "the running site"
    OBJECT = "one row of a tenant"
    TENANT = "rows of a tenant"
    SELF = "oneself"
    SHARED = "what is the same for all"


@dataclass(frozen=True)
class Door:
    """One route with one method."""

    method: str
    route: APIRoute
    told: dict | None
    """What the description says of it; None for pages."""

    @property
    def name(self):
        return f"{self.method} {self.route.path}"

    @property
    def fields(self):
        """Names of what stands in braces."""
        return re.findall(r"{(\w+)", self.route.path)

    @cached_property
    def asks_for(self):
        """Everything that the route depends on."""
        return set(calls(self.route.dependant))

    @property
    def deeds(self):
        return {c.deed for c in self.asks_for if isinstance(c, May)}

    @property
    def about(self):
        if self.route.path.startswith("/api/v1/session"):
            return About.SELF
        if SITE_ONLY in self.asks_for:
            return About.OBJECT if self.fields and backing_of in self.asks_for and self.told else About.SITE
        if not self.fields:
            return About.TENANT
        return About.OBJECT if {backing_of, caller} & self.asks_for else About.SHARED

    @property
    def names_things(self):
        """Whether a question that cannot be left out may name what is not there."""
        return any(p["in"] == "query" and p["required"] for p in (self.told or {}).get("parameters", ()))

    def may(self, role):
        return self.deeds <= MAY[role]


def calls(dependant):
    for below in dependant.dependencies:
        yield below.call
        yield from calls(below)


def doors(app):
    """Every route of an application by its name, what ends something last."""
    told = app.openapi()["paths"]
    routes = (c.original_route for c in iter_route_contexts(app.routes))
    found = [
        Door(method, route, told.get(route.path, {}).get(method.lower()))
        for route in routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods)
    ]
    return {d.name: d for d in sorted(found, key=lambda d: (d.method == "DELETE", d.route.path, d.method))}


class Examples:
    """Bodies and questions as the description shows them."""

    def __init__(self, document):
        self._document = document

    def body(self, told):
        """Return the JSON body of a request, None where there is none; LookupError where a field has no example."""
        content = (told or {}).get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return None
        if content.get("examples"):
            return next(iter(content["examples"].values()))["value"]
        return content["example"] if "example" in content else self.of(content["schema"])

    def of(self, schema, name="body"):
        while "$ref" in schema and "examples" not in schema:
            schema = self._document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        for source in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
            if source.get("examples"):
                return source["examples"][0]
        if "properties" in schema:
            wanted = schema.get("required", ())
            return {
                n: self.of(s, f"{name}.{n}") for n, s in schema["properties"].items() if n in wanted or "examples" in s
            }
        if schema.get("enum"):
            return schema["enum"][0]
        if schema.get("type") == "array" and "items" in schema:
            return [self.of(schema["items"], f"{name}[]")]
        if schema.get("type") == "boolean":
            return False
        if "const" not in schema:
            raise LookupError(f"{name} has no example in the description of the interface")
        return schema["const"]

    def questions(self, told):
        """Return the query that a route cannot do without."""
        asked = (told or {}).get("parameters", ())
        return {p["name"]: self.of(p["schema"], p["name"]) for p in asked if p["in"] == "query" and p["required"]}


class Maker:
    """Asks routes with the examples of the description, and makes the rows that they are about; ``headers`` gives those of a role."""

    def __init__(self, http, app, headers, known):
        self.http, self.doors = http, doors(app)
        self._examples, self._headers, self._known = Examples(app.openapi()), headers, dict(known)
        self.made = set()

    def know(self, field, name):
        """Take a name for what stands in braces."""
        self._known[field] = name

    def names(self, door, *, anew=False):
        """Return what stands in a route's braces, made where nothing is known yet."""
        for field in door.fields:
            last = field == door.fields[-1]
            if field not in self._known or (anew and last and field in self.made):
                self._known[field] = self._made(door, field)
        return {f: self._known[f] for f in door.fields}

    def there(self, door):
        """Whether a route is about something that is there: known, or made by the POST on its list."""
        return "none" not in self.names(door).values()

    def door_before(self, door, field):
        """Return the route that makes what a field names."""
        return self.doors.get(f"POST {door.route.path.split(f'/{{{field}}}')[0]}")

    def _made(self, door, field):
        """Make what a field names by the POST on its list and return its id; "none" where only deeds of other kinds make it."""
        maker = self.door_before(door, field)
        if maker is None:
            return "none"
        answer = self.ask(maker, self._headers(next(r for r in Role if maker.may(r))))
        if answer.status_code in (404, 409):  # it needs something else first
            return "none"
        assert answer.status_code in (201, 202), f"{maker.name}: its own example is refused: {answer.text}"
        self.made.add(field)
        return str(answer.json()["id"])

    def ask(self, door, headers, **names):
        """Send a request to a route."""
        path = door.route.path.replace(":path", "").format(**(self.names(door) | names))
        body = self._filled(self._examples.body(door.told), door)
        more = {} if body is None else {"json": body}
        sent = {"If-Match": '"1"', "HX-Request": "true"} | headers
        question = self._examples.questions(door.told)
        return self.http.request(door.method, path, headers=sent, params=question, follow_redirects=False, **more)

    def names_rows(self, door):
        """Whether a route's body names rows that are there for whoever made them alone."""
        body = self._examples.body(door.told)
        return self._filled(body, door) != body

    def _filled(self, body, door):
        """Return a body that names rows which are there: ``x_id`` in it is what ``/xs/{x_id}`` is about."""
        if not isinstance(body, dict):
            return body
        others = (d for d in self.doors.values() if d.told and d is not door)
        of_others = {f: d for d in others for f in d.fields if f.endswith("_id")}
        here = {
            n: self.names(of_others[n])[n]
            for n, v in body.items()
            if v and n in of_others and n in self._makeable(of_others)
        }
        return body | here

    def _makeable(self, fields):
        return {f for f, d in fields.items() if self.door_before(d, f) is not None}
