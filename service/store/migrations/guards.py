"""What the engines themselves hold to: row-level security on PostgreSQL, and on both a log that is only ever added to."""

from alembic import op
from sqlalchemy import text

from service.store.engine import APP_ROLE

CURRENT = "current_setting('app.tenant', true)"


def on_postgresql() -> bool:
    """Return whether this change runs on PostgreSQL."""
    return op.get_bind().dialect.name == "postgresql"


def make_app_role() -> None:
    """Make the role that the service acts as, which owns nothing."""
    if not on_postgresql():
        return
    op.execute(
        f"DO $$ BEGIN CREATE ROLE {APP_ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    op.execute(f"GRANT {APP_ROLE} TO CURRENT_USER")
    op.execute(f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}")


def guard(table: str, *, shared: bool = False, owner: str = "tenant_id", rights: str = "ALL") -> None:
    """Let nobody see rows of a tenant other than the transaction's; ``shared`` tables are open to the service itself as well."""
    if not on_postgresql():
        return
    current = f"(SELECT {CURRENT})"
    mine = f"{owner} = {current}" + (f" OR {current} = '*'" if shared else "")
    op.execute(f"GRANT {'SELECT, INSERT, UPDATE, DELETE' if rights == 'ALL' else rights} ON {table} TO {APP_ROLE}")
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_rows ON {table} USING ({mine}) WITH CHECK ({mine})")


def everybody(table: str) -> None:
    """Show the owner, who changes tables, the rows of all tenants, until the table is guarded anew."""
    if on_postgresql():
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")


def ask_once() -> None:
    """Let policies of an older version ask for the transaction's tenant once per query, as new ones do, and not once per row."""
    if not on_postgresql():
        return
    old = CURRENT.replace("',", "'::text,")
    found = op.get_bind().execute(
        text("SELECT tablename, qual FROM pg_policies WHERE policyname = 'own_rows' AND qual NOT LIKE '%SELECT%'")
    )
    for table, rule in found.all():
        mine = rule.replace(old, f"(SELECT {CURRENT})")
        op.execute(f"ALTER POLICY own_rows ON {table} USING {mine} WITH CHECK {mine}")


def append_only(table: str) -> None:
    """Refuse to change or remove a row once it is written, whoever asks."""
    if on_postgresql():
        op.execute(
            f"CREATE OR REPLACE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{table} is only ever added to'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
        )
        return
    for deed in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} is only ever added to'); END"
        )


def drop_append_only(table: str) -> None:
    """Take the refusal away; the triggers go with the table."""
    if on_postgresql():
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
        op.execute(f"DROP FUNCTION {table}_append_only()")
