"""The service's tables, beside the outbox's own; the same in SQLite and PostgreSQL."""

FORMAT = 1
"""Number of the layout, kept in the store; a service refuses a number it doesn't know."""

SCHEMA = (
    "CREATE TABLE service_format (number INTEGER NOT NULL)",
    f"INSERT INTO service_format VALUES ({FORMAT})",  # noqa: S608 - our own number
    """CREATE TABLE conversations (
        conversation_id TEXT PRIMARY KEY,
        customer_id TEXT,
        customer_email TEXT,
        channel TEXT,
        turns INTEGER NOT NULL,
        started_at DOUBLE PRECISION NOT NULL,
        seen_at DOUBLE PRECISION NOT NULL,
        closed_at DOUBLE PRECISION,
        close_answer TEXT
    )""",
    "CREATE INDEX conversations_open ON conversations (seen_at) WHERE closed_at IS NULL",
    "CREATE INDEX conversations_closed ON conversations (closed_at)",
    "CREATE INDEX conversations_customer ON conversations (customer_id)",
    """CREATE TABLE turns (
        conversation_id TEXT NOT NULL REFERENCES conversations,
        number INTEGER NOT NULL,
        role TEXT NOT NULL,
        text TEXT NOT NULL,
        at DOUBLE PRECISION,
        digest TEXT NOT NULL,
        answer TEXT NOT NULL,
        PRIMARY KEY (conversation_id, number)
    )""",
    """CREATE TABLE decisions (
        conversation_id TEXT NOT NULL REFERENCES conversations,
        handoff TEXT NOT NULL,
        bundle TEXT NOT NULL,
        standing TEXT,
        peak DOUBLE PRECISION NOT NULL,
        threshold DOUBLE PRECISION NOT NULL,
        fired_turns INTEGER,
        fired_at DOUBLE PRECISION,
        score DOUBLE PRECISION,
        reason TEXT,
        evidence_turn INTEGER,
        clause TEXT,
        route TEXT,
        needed INTEGER,
        audit_probability DOUBLE PRECISION,
        PRIMARY KEY (conversation_id, handoff)
    )""",
)
