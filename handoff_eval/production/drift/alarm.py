"""An alarm reaches the team as an email through the outbox, once for each verdict in a week."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP

from handoff_eval.handoff import Handoff
from handoff_eval.mail.headers import email_key, set_team_headers
from handoff_eval.mail.outbox import Outbox
from handoff_eval.production.drift.watch import Verdict, Watch

_QUIET = timedelta(days=7)
_ADVICE = {
    Verdict.AT_RISK: "Look at what came of late, and review a sample of what was not sent.",
    Verdict.EXPIRED: "Label recent conversations and choose the threshold anew; until then nothing "
    "is promised of volume and recall.",
}


def queue_alarm(outbox: Outbox, handoff: Handoff, watch: Watch, *, at: datetime) -> bool:
    """Store an email about the alarms of a watch; False without any, or within a quiet week."""
    if watch.verdict is Verdict.HOLDS:
        return False
    about = f"drift {watch.verdict} {watch.alarms[0].alarm}"
    message = EmailMessage(policy=SMTP)
    set_team_headers(
        message,
        handoff=handoff.name,
        sender=handoff.sender,
        recipients=handoff.recipients,
        subject=f"The {watch.promise.source} of {handoff.name} is {watch.verdict}",
        sent_at=at,
        key=email_key(handoff.name, "notice", about),
    )
    seen = "\n".join(
        f"* {test.name}, since {test.alarm}: {test.words} ({test.evidence.meaning})."
        for test in watch.alarms
        if test.evidence is not None
    )
    message.set_content(f"{watch.sentence()}\n\n{seen}\n\n{_ADVICE[watch.verdict]}\n")
    return outbox.enqueue_notice(
        message, handoff=handoff.name, about=about, quiet_since=at - _QUIET
    )
