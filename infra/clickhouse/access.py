"""Who may do what: three profiles as grants and limits, for the engine here and as SQL for a real server.

chDB reads roles and their grants from a users file and enforces them on a connection that has set one role. So the
same list of grants holds in both places: `users_xml` renders it for the owner, `server_sql` for a ClickHouse server.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

ANALYST_VIEWS = (
    "active_sessions",
    "alerts",
    "cart_abandonment",
    "current_signals",
    "daily_breakdowns",
    "daily_metrics",
    "daily_metrics_at",
    "daily_revenue",
    "daily_revenue_at",
    "dead_letters",
    "events",
    "events_at",
    "funnel",
    "gate_results",
    "holes",
    "hourly_traffic",
    "inventory",
    "inventory_history",
    "orders",
    "orders_at",
    "product_daily",
    "product_daily_at",
    "product_features",
    "product_features_history",
    "product_neighbours",
    "product_neighbours_history",
    "product_popularity",
    "profile_history",
    "profiles",
    "progress",
    "publications",
    "reconciliation",
    "retention",
    "revenue_by",
    "search_terms",
    "sessions",
    "sessions_at",
    "sessions_by_id",
    "signals",
    "ticket_history",
    "tickets",
    "top_products",
    "trending_products",
    "user_affinity",
    "user_affinity_history",
    "user_features",
    "user_features_history",
    "user_orders",
    "user_timeline",
)
"""The views of database `rivermeet` that analysts may read; nothing else of it exists for them."""

_EVERYONE = {
    "max_partitions_per_insert_block": "0",
    "max_insert_block_size_bytes": str(256 << 20),
    "async_insert": "0",
    "default_normal_view_sql_security": "DEFINER",
}
READING = {"analyzer_inline_views": "1", "query_plan_remove_unused_columns": "0", "optimize_and_compare_chain": "0"}
"""What makes views cheaper to ask (ClickHouse 26.4 and later): a view is analysed as a part of the query that names it,
so that columns which the query leaves out cost less. To look for such columns once more in the plan takes a tenth of
the time of a query of many columns and finds none; so does the search for comparisons that follow from others."""

_OBJECTS = (
    "SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE DICTIONARY, DROP TABLE, DROP VIEW,"
    " DROP DICTIONARY, UNDROP TABLE, TRUNCATE, OPTIMIZE, SHOW, dictGet, SYSTEM MERGES, SYSTEM TTL MERGES, SYSTEM VIEWS"
)
_SERVER_WIDE = (
    "SHOW DATABASES, CREATE TEMPORARY TABLE, CREATE FUNCTION, DROP FUNCTION, KILL QUERY, SYSTEM FLUSH LOGS,"
    " SYSTEM RELOAD DICTIONARY, SYSTEM DROP CACHE ON *.*"
)


@dataclass(frozen=True)
class Profile:
    """What a user may do. `settings` are applied to every connection; those in `fixed` a caller cannot change."""

    name: str
    grants: tuple[str, ...]
    settings: Mapping[str, str]
    fixed: Mapping[str, str] = field(default_factory=dict)
    reads_only: bool = False


def _on_ours(grant: str) -> tuple[str, ...]:
    return (*(f"{grant} ON {databases}.*" for databases in ("rivermeet*", "feast*", "default")), "SELECT ON system.*")


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "analyst",
            (*(f"SELECT, SHOW ON rivermeet.{view}" for view in ANALYST_VIEWS), "SHOW DATABASES ON *.*"),
            {**_EVERYONE, **READING},
            {
                "max_execution_time": "30",
                "max_memory_usage": str(1 << 30),
                "max_result_rows": "1000000",
                "max_result_bytes": str(1 << 30),
                "max_rows_to_read": "1000000000",
            },
            reads_only=True,
        ),
        Profile("writer", (*_on_ours(_OBJECTS), _SERVER_WIDE), _EVERYONE),
        Profile("admin", (*_on_ours(f"{_OBJECTS}, DROP DATABASE"), _SERVER_WIDE), _EVERYONE),
    )
}


def users_xml(profiles: Mapping[str, Profile] = PROFILES) -> str:
    """The engine's users file: a role for each profile, all of them granted to the one user that chDB has."""
    constraints = "".join(_constraints(profile) for profile in profiles.values())
    roles = "".join(
        f"<{role_of(name)}>{_grants(profile.grants)}</{role_of(name)}>" for name, profile in profiles.items()
    )
    granted = _grants(tuple(role_of(name) for name in profiles))
    return (
        f"<clickhouse><profiles><default/>{constraints}</profiles><quotas><default/></quotas><roles>{roles}</roles>"
        "<users><default><password></password><networks><ip>::1</ip><ip>127.0.0.1</ip></networks>"
        f"<profile>default</profile><quota>default</quota>{granted}</default></users></clickhouse>"
    )


def server_sql(profiles: Mapping[str, Profile] = PROFILES) -> str:
    """The same profiles as statements for a ClickHouse server; create its users and grant them these roles."""
    return "\n".join(line for profile in profiles.values() for line in _server_statements(profile)) + "\n"


def role_of(profile: str) -> str:
    """Name of the role that carries a profile's grants."""
    return f"rivermeet_{profile}"


def _grants(grants: tuple[str, ...]) -> str:
    return "<grants>" + "".join(f"<query>GRANT {escape(grant)}</query>" for grant in grants) + "</grants>"


def _constraints(profile: Profile) -> str:
    role = role_of(profile.name)
    fixed = "".join(f"<{name}><const/></{name}>" for name in profile.fixed)
    return f"<{role}><constraints>{fixed}</constraints></{role}>"


def _server_statements(profile: Profile) -> list[str]:
    role = role_of(profile.name)
    free = [f"{name} = '{value}'" for name, value in profile.settings.items()]
    fixed = [f"{name} = '{value}' CONST" for name, value in profile.fixed.items()]
    mode = ["readonly = 2"] if profile.reads_only else []
    return [
        f"CREATE ROLE IF NOT EXISTS {role};",
        *(f"GRANT {grant} TO {role};" for grant in profile.grants),
        f"CREATE SETTINGS PROFILE OR REPLACE {role} SETTINGS {', '.join(free + fixed + mode)} TO {role};",
    ]


if __name__ == "__main__":
    sys.stdout.write(server_sql())
