"""Shapes of the facts a support team looks for, as regular expressions that run in linear time."""

from __future__ import annotations

import re

_LABEL = (
    r"order|booking|reservation|ticket|case|claim|invoice|account|acct|customer|client|"
    r"member(?:ship)?|subscription|contract|policy|confirmation|tracking|parcel|package|shipment|"
    r"consignment|transaction|receipt|serial|batch|lot|meter|voucher|coupon|gift card|licen[cs]e|"
    r"flight|train|pnr|rma|imei|sim|iban|sort code|incident|complaint|prescription|patient|"
    r"registration|reg|vin|error|code|form|card|locker|bill|payment|delivery|return|purchase|"
    r"reference|ref|"
    r"bestellung|bestellnummer|auftrag|rechnung|kundennummer|vertrag|buchung|sendung|pedido|"
    r"factura|fatura|reserva|cuenta|commande|facture|réservation|compte|ordine|fattura|"
    r"prenotazione|zamówienie|zamówienia|faktura|bestelling|factuur"
)
_NUMBER_WORD = (
    r"number|num\.?|no\.?|nr\.?|n[°º]|№|id|code|ref(?:erence)?|nummer|numéro|número|numero"
)
_VALUE = r"[A-Za-z0-9]+(?:[-/_.][A-Za-z0-9]+)*"

LABELLED = re.compile(
    rf"(?<!\w)(?P<label>{_LABEL})(?:s|'s)?(?![A-Za-z])"
    rf"(?P<word>(?:[ \t]?(?:{_NUMBER_WORD})(?![A-Za-z])){{0,2}})"
    rf"(?P<link>[ \t]*(?:[:=]|ending in|ending|is(?!\w)|was(?!\w)|-|–)?[ \t]*)(?P<hash>\#?)"
    rf"(?P<value>{_VALUE}(?:[ \t](?-i:\d{{2,}}(?:-\d+)*|[A-Z]{{2,4}})(?![.,/-]?\w)){{0,4}})(?!\w)",
    re.IGNORECASE,
)
"""A word such as `order` with the number after it; the caller judges the value."""

WEAK_LABEL = re.compile(
    r"bill|payment|delivery|return|purchase|code|form|card|locker", re.IGNORECASE
)
"""Words that stand before a plain count as often as before a number of theirs."""

LABEL_WORD = re.compile(rf"(?<!\w)(?:{_LABEL})(?!\w)", re.IGNORECASE)
FLIGHT = re.compile(r"(?i:(?<!\w)(?P<label>flight|train)) (?P<value>[A-Z]{1,3}[ ]?\d{2,4})(?!\w)")
HASHED = re.compile(r"(?<![\w&/])#(?:[A-Za-z]{1,6}-?)?\d[\w-]*")
CODE = re.compile(r"(?<![A-Za-z\d_.@/#-])[A-Za-z\d]+(?:-[A-Za-z\d]+)*(?![A-Za-z\d_@/-])")
IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?(?!\w)")
UNIT = re.compile(
    r"\d+(?:mb|gb|kb|tb|kw|kwh|w|v|mah|mhz|ghz|hz|kg|g|mg|ml|l|cm|mm|m|km|mi|ft|in|s|ms|min|h|hr|"
    r"hrs|k|p|px|x|rpm|c|f|am|pm|st|nd|rd|th|days?|mbps)",
    re.IGNORECASE,
)

DIGIT_RUN = re.compile(r"(?<![\w+])\d{3,}(?:[ \t\u00a0.–-]{1,2}\d{3,})*(?!\w)")
SECURITY_CODE = re.compile(
    r"(?<!\w)(?:cvv2?|cvc2?|cv2|security code)[ \t]*(?:is|:|=|"
    r"number)?[ \t]*(?P<value>\d{3,4})(?!\w)",
    re.IGNORECASE,
)
CARD_WORD = re.compile(
    r"(?:(?<!gift )(?<!sim )(?<!library )(?<!member )(?<!loyalty )(?<!travel )(?<!\w)cards?|visa|"
    r"mastercard|amex)(?!\w)\W{0,3}(?:(?:number|no|nr|is|ends?|ending|in)\W{0,3}){0,3}$",
    re.IGNORECASE,
)

EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+'-])[A-Za-z0-9](?:[A-Za-z0-9._%+'-]{0,62}[A-Za-z0-9_+-])?"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,24}(?![\w-])"
)
LINK = re.compile(
    r"(?<![\w@.-])(?:https?://[^\s<>\"“”]{1,2000}|www\.[^\s<>\"“”]{1,2000}"
    r"|(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}/[^\s<>\"“”]{0,2000}"
    r"|(?:[A-Za-z0-9-]{2,63}\.){1,5}(?:com|org|net|io|eu|co\.uk|de|fr|es|it|nl|pl|"
    r"example)(?![\w@-]))",
    re.IGNORECASE,
)
PHONE = re.compile(
    r"(?<![\w.,/+-])(?:\+\d(?:[ \t().-]{0,2}\d){7,14}|\(0?\d{2,4}\)[ \t]?\d(?:[ \t-]?\d){5,8}"
    r"|0\d(?:[ \t/-]?\d){7,10}|(?:\d{3}[ .-])?\d{3}-\d{4})(?![\w-])"
)

_SYMBOL = r"[£$€¥₹₽₩₺₴₪฿₫₦]"
_CODE = r"USD|EUR|GBP|CHF|PLN|SEK|NOK|DKK|CZK|CAD|AUD|NZD|JPY|INR|BRL|MXN|TRY|R\$|Rs\.?|kr|zł|Kč"
_WORDS = (
    r"euros?|pounds?|dollars?|quid|bucks?|pence|pennies|cents?|zloty|złotych|reais|pesos|rupees|"
    r"francs|kron(?:or|er)|yen|lira"
)
_NUMBER = r"(?:\d{1,3}(?:[ ,.'’\u00a0\u202f]\d{3})+|\d+)(?:[.,]\d{1,2})?"
AMOUNT = re.compile(
    rf"(?<![\w.,])(?:(?:{_SYMBOL}|(?:{_CODE})(?!\w))[ \u00a0]?{_NUMBER}(?:[ ]?(?:k|million|"
    rf"thousand))?(?![\w%])"
    rf"|{_NUMBER}[ \u00a0]?(?:{_SYMBOL}|(?:{_CODE}|{_WORDS})(?!\w)))",
    re.IGNORECASE,
)
DECIMAL = re.compile(
    r"(?<![\w.,:])(?:\d{1,3}(?:,\d{3})+|\d+)\.\d{2}(?!\w|[.,:]\w| ?%| ?[ap]\.?m| ?(?:kg|km|h|"
    r"uhr)(?!\w))",
    re.IGNORECASE,
)
MONEY_WORD = re.compile(
    r"charge|paid|pay|refund|bill|price|cost|fee|invoice|balance|owe|credit|debit|deposit|money",
    re.IGNORECASE,
)

_WEEKDAY = (
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|mon|tues?|wed|thurs?|fri|"
    r"montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|lundi|mardi|mercredi|jeudi|"
    r"vendredi|samedi|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo|lunedì|"
    r"martedì|mercoledì|giovedì|venerdì|poniedziałku?|wtorku?|środ[aęy]|czwartku?|piątku?"
)
_MONTH = (
    r"jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|mar(?:ch)?|märz|mars|apr(?:il)?|may(?! (?:not|be|"
    r"have|i|you|also)(?!\w))|mai|jun[ei]?|"
    r"jul[yi]?|aug(?:ust)?|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?"
)
_SPAN = r"minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?"
_COUNT = r"\d{1,3}|an?|one|two|three|four|five|six|seven|ten|a few|a couple of"
_TIME = (
    r"\d{1,2}:\d{2}(?: ?[ap]\.?m(?!\w))?|\d{1,2}(?:\.\d{2})? ?[ap]\.?m(?!\w)|"
    r"\d{1,2} (?:uhr|o'clock)|noon|midnight"
)
_DAY = (
    rf"\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}/\d{{1,2}}(?:/\d{{2,4}})?(?!/)|(?:0?[1-9]|[12]\d|"
    rf"3[01])\.(?:0?[1-9]|1[0-2])\.(?:\d{{4}}|\d{{2}})?"
    rf"|\d{{1,2}}(?:st|nd|rd|th|\.)?(?: of)? (?:{_MONTH})(?:,? \d{{4}})?"
    rf"|(?:{_MONTH}) \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?|the \d{{1,2}}(?:st|nd|rd|th)"
    rf"|(?:the )?end of (?:the |this |next )?(?:day|week|month|year|{_MONTH})"
    rf"|(?:this |next |last |on )(?:sat|sun)|(?:this |next |last )?(?:{_WEEKDAY})"
    rf"|(?:this|next|last) (?:morning|afternoon|evening|night|week(?:end)?|month|year)"
    rf"|(?:{_COUNT}) (?:{_SPAN}) ago|in (?:{_COUNT}) (?:{_SPAN})"
    rf"|today|tonight|tomorrow|tmrw|tmr|yesterday|heute|übermorgen|aujourd'hui|demain|hoy|"
    rf"mañana|hoje|amanhã|oggi|domani|jutro|dziś"
)
_WHEN = (
    rf"(?:{_DAY})(?:,? (?:at |um |à |a las )?(?:{_TIME}|morning|afternoon|evening|night))?|{_TIME}"
)
DATE = re.compile(rf"(?<![\w./-])(?:{_WHEN})(?![\w/])", re.IGNORECASE)
DEADLINE = re.compile(
    rf"(?<!\w)(?:(?:by|before|due(?: by| on)?|no later than|not later than|at the latest by|"
    rf"deadline (?:is|on)|bis(?: zum)?|spätestens(?: am)?|avant|d'ici|antes de(?:l)?|até|entro|"
    rf"przed|do)"
    rf" (?:{_WHEN})|(?:within|in the next|in less than) (?:the )?(?:next )?(?:{_COUNT}) "
    rf"(?:working |business )?(?:{_SPAN}))(?!\w)",
    re.IGNORECASE,
)
PAST = re.compile(
    r"(?<!\w)(?:was|were|been|promised|supposed|should have|said|told|had|until|till)(?!\w)",
    re.IGNORECASE,
)
