"""The tables that every service's schema has, as its first migration makes them.

A migration is never edited: a change to the plumbing is a new list here and a new migration per service.
"""

from __future__ import annotations

from typing import Final

V1: Final[tuple[str, ...]] = (
    """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic text NOT NULL,
        "case" text NOT NULL,
        seq bigint NOT NULL,
        payload bytea NOT NULL,
        traceparent text,
        bulk boolean GENERATED ALWAYS AS (topic LIKE '%.bulk') STORED,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        lease_until timestamptz,
        sent_at timestamptz,
        partition int,
        kafka_offset bigint
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX outbox_unsent ON outbox (bulk, id) WHERE sent_at IS NULL",
    'CREATE INDEX outbox_case ON outbox ("case", seq)',
    'CREATE TABLE seqs ("case" text PRIMARY KEY, seq bigint NOT NULL)',
    """
    CREATE TABLE marks (
        "case" text NOT NULL, sender text NOT NULL, seq bigint NOT NULL, PRIMARY KEY ("case", sender)
    )
    """,
    """
    CREATE TABLE dead_letters (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        topic text NOT NULL,
        partition int NOT NULL,
        kafka_offset bigint NOT NULL,
        "case" text,
        sender text,
        seq bigint,
        revision bigint,
        reason text NOT NULL,
        payload bytea NOT NULL,
        traceparent text,
        resolved_at timestamptz,
        resolution text,
        UNIQUE (topic, partition, kafka_offset)
    )
    """,
    """
    CREATE TABLE timers (
        name text NOT NULL,
        key text NOT NULL,
        due_at timestamptz NOT NULL,
        payload jsonb NOT NULL DEFAULT '{}',
        tries int NOT NULL DEFAULT 0,
        lease_until timestamptz,
        PRIMARY KEY (name, key)
    )
    """,
    "CREATE INDEX timers_due ON timers (due_at)",
    "CREATE TABLE cursors (reader text PRIMARY KEY, last bigint NOT NULL)",
    """
    CREATE TABLE feed (
        reader text NOT NULL,
        no bigint NOT NULL,
        "case" text NOT NULL,
        payload bytea NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (reader, no)
    )
    """,
    """
    CREATE TABLE audit (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        who text NOT NULL,
        act text NOT NULL,
        "case" text,
        details jsonb NOT NULL DEFAULT '{}'
    )
    """,
    'CREATE INDEX audit_case ON audit ("case")',
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'audit lines are never changed or deleted';
    END $$
    """,
    """
    CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    EXECUTE FUNCTION refuse_change()
    """,
)
