"""What a sentence does: ask, report a failure, propose a step, or say nothing of the matter."""

from __future__ import annotations

import re
from enum import StrEnum


class Signal(StrEnum):
    """How the customer is, and what makes the matter press."""

    DANGER = "health or safety"
    BEREAVEMENT = "bereavement"
    FRAUD = "fraud or security"
    LEGAL = "legal"
    URGENT = "urgent"
    ANGRY = "angry"
    UNHAPPY = "unhappy"


def _any(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)


_SOMEONE = (
    r"someone|somebody|any ?one|anybody|one of (?:you|your)|a (?:colleague|person|human|manager)"
)
_REACH = (
    r"call|ring|phone|email|e-mail|mail|write(?: to)?|text|message|contact|tell|inform|notify|"
    r"answer|"
    r"get back to|come back to|drop|shoot|ping|send|hit"
)
_SERVICE = (
    r"refund|waive|credit|compensate|reimburse|cancel|delete|erase|remove|replace|exchange|return|"
    r"close|correct|fix|change|investigate|look into|check|review|reopen|unlock|unblock|restore|"
    r"escalate|forward|confirm|make an exception|take (?:it|this|that) (?:off|back|down)|"
    r"let (?:me|us|it) off|put (?:me|us) through|put it right|put that right"
)
CONTACT = _any(rf"(?:{_REACH}) (?:it |that |them )?(?:to )?(?:me|us)")
STRONG_ASK = _any(
    rf"(?:{_REACH}) (?:to )?(?:me|us)|let (?:me|us) know|(?:call|ring|phone|write)(?:ing)? back|"
    rf"put me (?:through|on)|transfer me|connect(?:ed)?(?: me)? (?:to|with)|"
    rf"(?:speak|talk)(?:ing)? (?:to|with)|(?<!i )(?<!you )(?<!we )(?<!do )(?<!they )"
    rf"(?:get|have|let|find|ask|tell) (?:{_SOMEONE}|them|him|her) \w+|"
    rf"(?:could|can|would|will|may) (?:{_SOMEONE})|(?:i|we) (?:want|expect|demand|insist|request|"
    rf"require)|"
    rf"(?:i|we)(?:'d|d| would) (?:really )?(?:like|rather|prefer|appreciate|be grateful)|"
    rf"(?:please|pls|plz|kindly|can you|could you|would you)(?: just| please)? (?:{_SERVICE}|"
    rf"{_REACH}|get|have|put|pass)|"
    rf"(?:i'?m|we'?re|am|are) (?:asking|requesting|hoping)|on (?:the )?record|formal(?:ly)?|"
    rf"(?:i|we)(?:'m| am|'re| are| was| were)? (?:just |only )?wonder(?:ed|ing)?|(?:must|has to|"
    rf"have to|needs? to|should) (?:be|stop|go)|make an exception|(?:in|some) writing|(?:who|"
    rf"whom) (?:can|do|should|may|must) (?:i|we)|"
    rf"who (?:is|are|can|answers|decides|deals)|"
    rf"ich (?:möchte|will|hätte|brauche|verlange)|rufen sie|schreiben sie|bitte|mitarbeiter|"
    rf"quiero|quisiera|necesito|llámenme|por favor|hablar con|je (?:veux|voudrais|souhaite)|"
    rf"s'il vous pla[iî]t|parler à|rappelez|gostaria|quero|preciso|vorrei|voglio|parlare con|"
    rf"chcę|chciał(?:a)?bym|proszę|ik wil|graag|alstublieft"
)
WEAK_ASK = _any(
    rf"please|pls|plz|kindly|(?:can|could|would|will|may|might) (?:you|i|we|it|the|that|this|"
    rf"those|these)|"
    rf"(?:i|we) (?:need|wish|hope|must have)|(?:is|would) (?:it|that) (?:be )?possible|"
    rf"is there (?:any|a|some|no)|any (?:way|chance)|{_SERVICE}|help me|what (?:can|do|"
    rf"should) (?:i|we)|"
    rf"how (?:do|can|could|long|soon|much)|where (?:do|can|is)|want|need(?:s|ed)?|"
    rf"kann|können|könnten|wie|wann|puede|pueden|cómo|cuándo|pouvez|comment|quand|può|potete|come|"
    rf"czy|jak|kiedy|kan|hoe"
)
NARRATED = _any(
    r"(?:i|we|he|she|they|you|she'd|he'd)(?:'ve|'d| have| had)? (?:already |just |then )?"
    r"(?:asked|wanted|told|called|rang|wrote|emailed|said|promised|requested|spoke)|"
    r"(?:don't|dont|do not|didn't|doesn't|not) (?:want|need|tell|call|email)"
)

PROBLEM = _any(
    r"not|no|never|nothing|nobody|none|\w+n['’]t|cannot|cant|dont|doesnt|didnt|wont|isnt|wasnt|"
    r"still|again|wrong|broken|broke|missing|lost|late|stuck|fail(?:s|ed|ing)?|error|double|twice|"
    r"charged|blocked|locked|refused|rejected|declined|damaged|cracked|faulty|dead|empty|stolen|"
    r"problem|issue|crash(?:es|ed)?|leak(?:s|ing)?|nicht|kein(?:e|en)?|falsch|kaputt|fehlt|"
    r"pas|jamais|rien|ningún|nunca|nada|falta|não|niente|mai|nie|niet|geen|stuk|zepsut\w*"
)
FAILURE = _any(
    r"no|nope|not|still|same|again|already|tried|did(?: that| it| so)?|done(?: that| it)?|nothing|"
    r"never|fail(?:s|ed)?|error|\w+n['’]t|cannot|cant|dont|doesnt|didnt|wont|isnt|says|back to|"
    r"nicht|immer noch|schon|gleiche|ya|sigue|igual|pas|toujours|déjà|nie|nadal|niet|nog steeds|"
    r"não|continua|ancora|non"
)

SOON = _any(
    r"today|tonight|tomorrow|tmrw|this (?:afternoon|evening)|heute|hoy|aujourd'hui|demain|hoje|"
    r"oggi|"
    r"domani|vandaag|morgen früh"
)
CLOSING = _any(
    r"bye|goodbye|thanks?|thank you|cheers|lovely|nice|great|super|perfect|brilliant|wonderful|"
    r"good to know|appreciated?|will do|got it|danke|gracias|merci|grazie"
)
HAPPENED = _any(
    r"came|arrived|got|was|were|had|did|went|bought|paid|took|received|sent|tried|since"
)
VAGUE_DAY = _any(r"yesterday|gestern|ayer|hier|last|ago|this (?:morning|week|month|year)")
STEERING = re.compile(
    r"(?<!\w)(?:ignore|disregard|forget) (?:all |your |the |my |any |previous |"
    r"prior )+(?:instructions?|rules?|script|prompts?)"
    r"|^\W*(?:system|assistant|admin|developer)\W*:|\[/?(?:system|inst)|\[\[|</?\w+>|\w=\w",
    re.IGNORECASE,
)
_IMPERATIVE = (
    r"try|go|open|check|restart|reboot|clear|log|sign|press|hold|use|click|tap|select|choose|make|"
    r"ensure|update|reinstall|install|uninstall|contact|call|send|upload|enter|remove|unplug|plug|"
    r"reset|wait|allow|download|visit|scan|take|turn|switch|put|place|keep|move|run|delete|add|set|"
    r"leave|write|email|fill|attach|provide|give|look|disconnect|connect|refresh|disable|enable|"
    r"adjust|submit|pay|return|bring|show|start|stop|swap|ask|apply|book|cancel|change|follow|"
    r"report|"
    r"note|point|repeat|type|connect|charge|measure|ring|pick|scroll|uncheck|close"
)
PROPOSAL = re.compile(
    rf"(?:^|: )(?:(?:please|then|now|first|next|so|ok(?:ay)?|in that case|if so|you could|just|"
    rf"simply|kindly)"
    rf"[,:]? ){{0,3}}(?:{_IMPERATIVE})(?!\w)|(?<!\w)(?:you(?:'ll)? (?:can|could|may|might|need|"
    rf"should|"
    rf"must|have to|will)|please|try|i(?:'d| would)? (?:suggest|recommend)|i(?:'ve| have|'m|'ll|"
    rf" can| could)"
    rf"|we(?:'ve| have|'ll| can| could)|under \w+|allow|within|(?:can|could|may) be|worth \w+ing|"
    rf"(?:can|could|would) you (?:please )?(?!give|tell|provide|confirm|share|let|describe|"
    rf"say)(?:\w+)|bitte|sie können|puede|por favor|"
    rf"vous pouvez|veuillez|może pan\w*)(?!\w)|\w > \w|/\w",
    re.IGNORECASE,
)
REFUSAL = _any(
    r"unfortunately|can['’]?t|cannot|unable|not (?:able|possible|available|part|covered|allowed|"
    r"eligible)|isn['’]t|aren['’]t|doesn['’]t|won['’]t|policy|terms|rules?|no (?:way|option|"
    r"record)|"
    r"non-\w+|only|no longer|final|closed|leider|lamentablemente|malheureusement|niestety|helaas"
)
APOLOGY = re.compile(
    r"^(?:(?:i(?:'m| am)|we(?:'re| are)) (?:so |very |really )?sorry|sorry|my apologies|apologies|"
    r"thank(?:s| you)|i understand|i see|great|good (?:morning|afternoon|evening|day)|hello|hi|"
    r"welcome|perfect|absolutely|of course|you're (?:very )?welcome|that(?:'s| is) (?:a|an|not|"
    r"too|so|very|quite|great|good)|that must|oh|"
    r"no problem|(?:\w+, )?i'm (?:a|an|the|your) [\w' ]*(?:assistant|bot|robot|agent))(?!\w)",
    re.IGNORECASE,
)

_FILLER = (
    r"hi+|hello+|hey+|heyy+|hiya|yo|dear|sir|madam|or|good|morning|afternoon|evening|day|there|"
    r"team|all|"
    r"thanks?|thank|thx|ty|you|u|so|very|much|cheers|ta|please|pls|ok(?:ay)?|k|kk|yes|yep|yeah|"
    r"yup|no|"
    r"nope|sure|right|fine|great|cool|nice|lovely|perfect|well|oh|ah|um+|hm+|lol|haha|wow|alright|"
    r"bye|"
    r"goodbye|see|got|it|that|anyway|then|and|again|help|sorry|hallo|guten|tag|morgen|danke|hola|"
    r"buenos|buenas|d[ií]as|tardes|gracias|bonjour|bonsoir|merci|ciao|grazie|ol[áa]|bom|dia|"
    r"obrigad[oa]|"
    r"dzień|dobry|dziękuję|hoi|bedankt|dank|je|wel|si|oui|ja|nein"
)
_ALL_FILLER = re.compile(rf"\W*(?:(?:{_FILLER})\W+)*(?:{_FILLER})?\W*", re.IGNORECASE)
LEAD_IN = re.compile(
    r"^(?:(?:look|listen|right|well|no|now|but)[,.!:;…-]+\s*|(?:hi+|hiya|hello|hey+|"
    r"good (?:morning|"
    r"afternoon|evening)|so|ok(?:ay)?|k|oh|ah|sorry|please|pls|yes|yeah|and|then|also|anyway|um+|"
    r"er+|"
    r"thanks|cheers|hallo|guten tag|hola|bonjour|ciao)(?:[,.!:;…-]+\s*|"
    r"\s+(?=\S))(?:there[,.!]?\s+)?)+",
    re.IGNORECASE,
)

_KIN = (
    r"husband|wife|mother|mum|mom|father|dad|son|daughter|brother|sister|partner|nan|gran|grandma|"
    r"grandmother|grandad|grandfather|aunt|uncle|friend|child|baby"
)
_SIGNALS = (
    (
        Signal.DANGER,
        _any(
            r"smok(?:e|ing) (?:from|out|coming|in)|sparks?|sparking|caught fire|on fire|flames?|"
            r"burn(?:s|t|ed|ing)? (?:smell|my|his|her|marks?)|(?:smell|stink|reek)(?:s|"
            r"ing)?(?: \w+){0,2} "
            r"(?:burning|gas|petrol|fuel|smoke|eggy)|seizures?|"
            r"gas (?:leak|smell)|electric shock|got a shock|bleed\w*|swell(?:s|ed|ing|ings)?|"
            r"swollen|swole|"
            r"allergic|anaphyla\w*|can'?t breathe|breathing|chest pain|passed out|faint(?:ed|ing)|"
            r"overdos\w*|"
            r"suicid\w*|hurt(?:ing)? myself|kill(?:ing)? myself|end it all|ambulance|poison\w*|"
            r"dizzy|"
            r"vomit\w*|rash|miscarr\w*|injur\w*|unsafe|dangerous|carbon monoxide|side effects?|"
            r"in danger"
        ),
    ),
    (
        Signal.BEREAVEMENT,
        _any(
            rf"(?:late|deceased) (?:{_KIN})|passed away|no longer with us|funeral|(?:he|she|"
            rf"{_KIN}) (?:has |had |have )?"
            r"(?:just |suddenly )?died|verstorben|fallecid[oa]|décédée?"
        ),
    ),
    (
        Signal.FRAUD,
        _any(
            r"fraud\w*|scam\w*|phish\w*|hacked|hacker|identity theft|stolen|"
            r"someone else'?s? (?:account|"
            r"card|data|details)|(?:never|didn't|did not|haven't) (?:order|ordered|made|make|"
            r"authorised?|"
            r"authorized?|sign|signed|buy|bought)|unauthori[sz]ed|data breach|forged|betrug|"
            r"estafa|arnaque"
        ),
    ),
    (
        Signal.LEGAL,
        _any(
            r"(?:my|a|our|the) (?:lawyer|solicitor|attorney|barrister)|legal action|(?:to|in|"
            r"a) court|"
            r"court (?:order|case|papers|claim)|ombudsman|"
            r"regulator|sue|suing|gdpr|data protection|trading standards|small claims|liable|"
            r"anwalt|abogad[oa]|"
            r"avocat"
        ),
    ),
    (
        Signal.URGENT,
        _any(
            r"urgent\w*|asap|immediately|right (?:now|away)|straight ?away|emergency|in an hour|"
            r"in \d+ min\w*|at once|dringend|sofort|urgente(?:mente)?|ahora mismo|immédiatement|"
            r"subito|pilne"
        ),
    ),
    (
        Signal.ANGRY,
        _any(
            r"ridiculous|unacceptable|outrageous|disgrace\w*|disgust\w*|pathetic|useless|joke|"
            r"liars?|lied|"
            r"lies|lying|bandits?|thieves|robbery|rip-?off|furious|fuming|appalling\w*|shambles|"
            r"wtf|ffs|"
            r"bloody|bollocks|f+u+c+k\w*|sh[i1]t\w*|crap|damn|hell|idiots?|incompeten\w*|"
            r"insult\w*|shame|"
            r"fed up|sick of|had enough|enough of|waste of|unverschämt\w*|verg[uü]enza|honte|"
            r"vergogna|skandal\w*"
        ),
    ),
    (
        Signal.UNHAPPY,
        _any(
            r"disappoint\w*|frustrat\w*|annoy\w*|upset|unhappy|worried|worry|stress\w*|crying|"
            r"cried|"
            r"desperate|let down|nightmare|given up|give up|giving up|never mind|nevermind|"
            r"forget it|"
            r"(?:third|fourth|fifth|second|3rd|4th|2nd) time|going (?:round|in) circles|"
            r"going round|"
            r"thanks for nothing|no help|not help\w*|i already (?:said|told)|as i said|once more|"
            r"leave it|i'?ll (?:just )?hope|why bother"
        ),
    ),
)


def is_filler(text: str) -> bool:
    """Tell whether a sentence is only greeting, thanks or assent."""
    return _ALL_FILLER.fullmatch(text) is not None


def ask_strength(text: str) -> float:
    """Return how strongly a customer's sentence asks for something: 0 for not at all."""
    strength = 2.0 if STRONG_ASK.search(text) else 1.0 if WEAK_ASK.search(text) else 0.0
    if text.rstrip(" \"'”’)").endswith(("?", "？", "؟")) or text.startswith("¿"):
        strength = max(strength + 0.5, 1.0)
    if strength and NARRATED.search(text):
        strength -= 1.0
    return max(strength, 0.0)


def ask_position(text: str) -> int:
    """Return where the ask begins in a sentence, 0 when it has none."""
    match = STRONG_ASK.search(text) or WEAK_ASK.search(text)
    return match.start() if match else 0


def signals_in(text: str) -> tuple[tuple[Signal, int], ...]:
    """Return the signals a customer's sentence gives and where, the gravest first."""
    found = {
        signal: match.start() for signal, pattern in _SIGNALS if (match := pattern.search(text))
    }
    letters = [character for character in text if character.isalpha()]
    if len(letters) >= 12 and sum(c.isupper() for c in letters) > 0.7 * len(letters):
        found.setdefault(Signal.ANGRY, 0)
    elif "!!" in text or "??" in text:
        found.setdefault(Signal.UNHAPPY, 0)
    return tuple(found.items())
