"""A durable queue of emails: the intent is stored before anything is sent.

A row is the promise that one conversation's email for one handoff will be sent and, once sent,
the reason it never is again. The statements are those that SQLite and PostgreSQL share;
`sqlite_outbox` and `postgres_outbox` add the connection, the transaction and the lock.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

from handoff_eval.mail.entries import Channel, Kind, Lease, Limit, Status
from handoff_eval.mail.rows import fields_of, values_of
from handoff_eval.mail.store import Run, Store
from handoff_eval.mail.wire import one_line

_TAKE = """UPDATE outbox
    SET status = 'sending', worker = :worker, due_at = :until, attempts = attempts + 1
    WHERE id = (SELECT id FROM outbox WHERE status IN ('queued', 'sending') AND due_at <= :now
                ORDER BY due_at, id LIMIT 1 {lock})
    RETURNING id, worker, handoff, kind, conversation_id, message_id, sender, recipients, pending,
              content, brief, channel, live_until, attempts"""


class Outbox(Store):
    """The changes of an outbox; each is one transaction that is durable on return."""

    def enqueue(
        self,
        message: EmailMessage,
        *,
        handoff: str,
        conversation_id: str,
        brief: str | None = None,
        live_until: datetime | None = None,
        limit: Limit | None = None,
    ) -> bool:
        """Store the intent to hand a conversation over; once this returns it survives a crash.

        Parameters
        ----------
        message : EmailMessage
            With From, Message-ID and at least one address in To, Cc or Bcc; Bcc is not sent on.
        handoff, conversation_id : str
            The key under which an email is sent once.
        brief : str, optional
            The handoff in short, for the live side and for a digest.
        live_until : datetime, optional
            Try the live side first, until then; the message is what is sent where it refuses.
        limit : Limit, optional
            Hold it for a digest where this handoff has used its cap; None lets it pass.

        Returns
        -------
        bool
            True when it was stored now; False when the key was there and the first is kept.

        Raises
        ------
        DataError
            When the message or the key can't be written as it is.
        """
        values = values_of(message, handoff, Kind.EMAIL, conversation_id) | {"brief": brief}
        if live_until is not None:
            values |= {"channel": Channel.LIVE.value, "live_until": live_until.timestamp()}
        with self._transaction() as run:
            if limit is not None and live_until is None:
                self._lock(run, handoff)
                if self._passed(run, handoff, limit.since) >= limit.emails:
                    due_at = limit.held_until.timestamp()
                    values |= {"status": Status.HELD.value, "due_at": due_at}
            return self._insert(run, values) is not None

    def enqueue_notice(
        self, message: EmailMessage, *, handoff: str, about: str, quiet_since: datetime
    ) -> bool:
        """Store a notice to the team, unless the handoff has had one since `quiet_since`."""
        values = values_of(message, handoff, Kind.NOTICE, about)
        with self._transaction() as run:
            self._lock(run, handoff)
            recent = run(
                "SELECT 1 FROM outbox WHERE handoff = :handoff AND kind = 'notice'"
                " AND created_at > :since LIMIT 1",
                {"handoff": handoff, "since": quiet_since.timestamp()},
            ).fetchall()
            return not recent and self._insert(run, values) is not None

    def enqueue_digest(
        self, message: EmailMessage, *, handoff: str, key: str, members: Sequence[int]
    ) -> bool:
        """Store a digest and tie its members to it; False when another process was first."""
        values = values_of(message, handoff, Kind.DIGEST, key)
        with self._transaction() as run:
            self._lock(run, handoff)
            free = [
                member
                for member in members
                if run(
                    "SELECT 1 FROM outbox WHERE id = :id AND status = 'held' AND digest_id IS NULL",
                    {"id": member},
                ).fetchall()
            ]
            digest = self._insert(run, values) if len(free) == len(members) else None
            if digest is None:
                return False
            for member in members:
                run(
                    "UPDATE outbox SET digest_id = :digest WHERE id = :id",
                    {"digest": digest, "id": member},
                )
        return True

    def take(self, worker: str, *, seconds: float) -> Lease | None:
        """Lease the email that has been due longest; None when none is due.

        A leased email is due again when its lease ends, which is how the email of a worker that
        was killed comes back.

        Parameters
        ----------
        worker : str
            Who takes it: unique among all processes, and holding one lease at a time.
        seconds : float
            How long it is kept from every other worker.
        """
        with self._transaction() as run:
            now = self._now(run)
            rows = run(
                _TAKE.format(lock=self.skip_locked),
                {"worker": worker, "until": now + seconds, "now": now},
            ).fetchall()
        return Lease(**fields_of(rows[0])) if rows else None

    def mark_sent(
        self,
        lease: Lease,
        *,
        pending: Collection[str] = (),
        error: str | None = None,
        reference: str | None = None,
    ) -> None:
        """Record that the other side has it, whoever holds the lease by now.

        With a digest, the emails that it lists are sent in the same transaction.

        Parameters
        ----------
        pending : collection of str
            Addresses that the server did not take.
        error : str, optional
            The server's words about them.
        reference : str, optional
            What the live side calls it.
        """
        with self._transaction() as run:
            values = {
                "now": self._now(run),
                "pending": json.dumps([*pending]),
                "error": error and one_line(error),
                "reference": reference and one_line(reference),
                "channel": lease.channel.value,
                "id": lease.id,
            }
            run(
                "UPDATE outbox SET status = 'sent', sent_at = :now, pending = :pending,"
                " last_error = :error, reference = :reference, channel = :channel"
                " WHERE id = :id AND status <> 'sent'",
                values,
            )
            run(
                "UPDATE outbox SET status = 'sent', sent_at = :now, pending = '[]'"
                " WHERE digest_id = :id AND status = 'held'",
                {"now": values["now"], "id": lease.id},
            )

    def put_back(self, lease: Lease, *, delay: float, error: str, pending: Collection[str]) -> bool:
        """Queue it again for `pending`, due in `delay` seconds; False when the lease was lost."""
        return self._settle(lease, Status.QUEUED, error, delay=delay, pending=pending)

    def bury(self, lease: Lease, *, error: str) -> bool:
        """Make it a dead letter with the server's words; False when the lease was lost."""
        return self._settle(lease, Status.DEAD, error, pending=lease.pending)

    def fall_back(self, lease: Lease, *, error: str) -> bool:
        """Make a live handoff an email that is due now; False when the lease was lost."""
        return self._settle(lease, Status.QUEUED, error, pending=lease.pending, to_email=True)

    def requeue(self, *, conversation_ids: Collection[str] | None = None) -> int:
        """Make dead letters and waiting emails due now, their attempts counted afresh.

        Parameters
        ----------
        conversation_ids : collection of str, optional
            Only these conversations, held ones that no digest lists yet included; None means all
            that don't wait for a digest.

        Returns
        -------
        int
            How many emails that concerned.
        """
        update = (
            "UPDATE outbox SET status = 'queued', attempts = 0, due_at = :now"
            " WHERE (status IN ('dead', 'queued')"
        )
        with self._transaction() as run:
            now = self._now(run)
            if conversation_ids is None:
                return int(run(f"{update})", {"now": now}).rowcount)
            return sum(
                run(
                    f"{update} OR (status = 'held' AND digest_id IS NULL))"
                    " AND conversation_id = :id",
                    {"now": now, "id": conversation_id},
                ).rowcount
                for conversation_id in dict.fromkeys(conversation_ids)
            )

    def _passed(self, run: Run, handoff: str, since: datetime) -> int:
        (row,) = run(
            "SELECT count(*) AS n FROM outbox WHERE handoff = :handoff AND kind = 'email'"
            " AND channel = 'email' AND status <> 'held' AND digest_id IS NULL"
            " AND created_at >= :since",
            {"handoff": handoff, "since": since.timestamp()},
        ).fetchall()
        return int(row["n"])

    def _insert(self, run: Run, values: dict[str, object]) -> int | None:
        """Return the new row's number; None when its key was there."""
        now = self._now(run)
        row = {
            **{"brief": None, "channel": "email", "live_until": None, "status": "queued"},
            **{"due_at": now, "created_at": now},
            **values,
        }
        columns = ", ".join(row)
        stored = run(
            f"INSERT INTO outbox ({columns}) VALUES ({', '.join(f':{name}' for name in row)})"  # noqa: S608 - names are ours
            " ON CONFLICT (handoff, kind, conversation_id) DO NOTHING RETURNING id",
            row,
        ).fetchall()
        return int(stored[0]["id"]) if stored else None

    def _settle(
        self,
        lease: Lease,
        status: Status,
        error: str,
        *,
        pending: Collection[str],
        delay: float = 0.0,
        to_email: bool = False,
    ) -> bool:
        with self._transaction() as run:
            changed = run(
                "UPDATE outbox SET status = :status, due_at = :due_at, pending = :pending,"
                " last_error = :error, channel = :channel, attempts = :attempts"
                " WHERE id = :id AND status = 'sending' AND worker = :worker",
                {
                    "status": status.value,
                    "due_at": self._now(run) + delay,
                    "pending": json.dumps([*pending]),
                    "error": one_line(error),
                    "channel": Channel.EMAIL.value if to_email else lease.channel.value,
                    "attempts": 0 if to_email else lease.attempts,
                    "id": lease.id,
                    "worker": lease.worker,
                },
            ).rowcount
        return bool(changed == 1)


def open_outbox(where: str | Path) -> Outbox:
    """Return the outbox of a `postgresql://` URL, or of an SQLite file.

    Raises
    ------
    SettingsError
        When it can't be opened or is no outbox of this format.
    MissingExtraError
        When PostgreSQL is named and psycopg is not installed.
    """
    if is_postgres(where):
        from handoff_eval.mail.postgres_outbox import PostgresOutbox

        return PostgresOutbox(str(where))
    from handoff_eval.mail.sqlite_outbox import SqliteOutbox

    return SqliteOutbox(Path(where))


def is_postgres(where: str | Path) -> bool:
    """Whether an outbox is named by a PostgreSQL URL rather than by a file."""
    return str(where).startswith(("postgresql://", "postgres://"))
