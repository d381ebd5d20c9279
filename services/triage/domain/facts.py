"""The vocabulary of facts that rules may use: what each means, where it comes from, which way is danger.

`higher`: more of it is more risk; `lower`: less is. `eligibility` says for whom a service is meant and
never how grave a case is (safeguard S12). Facts about a child hold for each child by itself (safeguard
S10), facts about the case for the family. How each is derived: `evidence.py`, `family.py`, `past.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from shared import vocabulary as v

Kind = Literal["yes_no", "count", "months", "days", "level", "words", "day", "people"]
Direction = Literal["higher", "lower", "eligibility"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. `scale`: the names of a level from least to most, or the words there can be."""

    name: str
    kind: Kind
    of: Literal["case", "child"]
    direction: Direction
    meaning: str
    comes_from: str
    source: str
    scale: tuple[str, ...] = ()
    suggested_by: str | None = None
    """What in an incident suggests that the fact holds where it was not recorded."""

    @property
    def unit(self) -> str:
        """What its values are, in words."""
        return UNITS[self.kind]

    @property
    def falling(self) -> bool:
        """Less is more risk."""
        return self.direction == "lower"


UNITS: Final[dict[Kind, str]] = {
    "yes_no": "yes or no",
    "count": "a number",
    "months": "completed calendar months",
    "days": "days",
    "level": "one of a scale",
    "words": "any of a list",
    "day": "a date",
    "people": "ids of people",
}
WINDOWS: Final = (6, 12, 24)
"""Months over which repeats are counted."""

INVOLVEMENTS: Final = (*v.PRESENCES, "took_part")
INJURIES: Final = ("none", *v.INJURY_SEVERITIES)
WEAPONS: Final = ("none", *v.WEAPON_USES)
ORDERS: Final = (*get_args(v.Order), "bail", "injunction")

_ALL: Final = (
    # The family
    Fact("youngest_child_months", "months", "case", "lower",
         "Completed months of the youngest child of the family on the day of the incident.",
         "children.born, children_known.born; the youngest that any record allows", "London 2008 s9.3.1-9.3.2"),
    Fact("unborn_child", "yes_no", "case", "higher",
         "An adult of the family is pregnant, or a child's birth date lies after the incident.",
         "adults.pregnant, children.born", "London 2008 s9.3.1",
         suggested_by="the narrative speaks of pregnancy"),
    Fact("victim_pregnant", "yes_no", "case", "higher", "A victim is pregnant.",
         "adults.pregnant of victims; a man is not", "NSPCC 2009 s5.8",
         suggested_by="the narrative speaks of pregnancy"),
    Fact("suspect_pregnant", "yes_no", "case", "higher", "A suspect is pregnant.",
         "adults.pregnant of suspects; a man is not", "London 2008 s9.3.1"),
    Fact("child_called_for_help", "yes_no", "case", "higher", "A child called for help.",
         "caller, children.called_for_help", "London 2008 s10.1"),
    Fact("child_special_needs", "yes_no", "case", "higher", "A child of the family has special needs.",
         "children.needs, children.disabilities", "London 2008 s9.3.3"),
    Fact("mother_special_needs", "yes_no", "case", "higher",
         "A victim, or a child's mother, has special needs or a disability.",
         "adults.needs, adults.disabilities", "London 2008 s9.3.3"),
    Fact("victim_vulnerable", "yes_no", "case", "higher",
         "A victim over 18 has a disability, special needs, or poor mental health.",
         "adults.needs, .disabilities, .factors of victims", "London 2008 s9.3.3, s9.6"),
    Fact("suspect_under_18", "yes_no", "case", "higher", "A suspect is under 18.",
         "adults.born of suspects", "London 2008 s17.2.2"),
    # What happened
    Fact("violence", "words", "case", "higher", "The kinds of violence in the incident.",
         "incident.violence, .offences, .weapons", "NSPCC 2009 box 10", v.VIOLENCE),
    Fact("physical_violence", "yes_no", "case", "higher", "Somebody was touched by violence.",
         "violence, injuries, weapons, offences", "NSPCC 2009 box 10"),
    Fact("violence_level", "level", "case", "higher",
         "Low: words only. Medium: physical, no injury. High: injury, grave violence or a threat to kill.",
         "violence, injuries, weapons, threats", "NSPCC 2009 box 10", v.VIOLENCE_LEVELS),
    Fact("injury_severity", "level", "case", "higher",
         "The gravest injury of anyone; treatment makes it at least moderate.",
         "incident.injuries, .offences", "NSPCC 2009 box 10", INJURIES),
    Fact("threats", "words", "case", "higher", "What was threatened.", "incident.threats, .offences",
         "NSPCC 2009 box 10", v.THREATS, suggested_by="the narrative speaks of killing"),
    Fact("suicide_threatened", "yes_no", "case", "higher", "The suspect threatened suicide.",
         "incident.threats, adults.factors of suspects", "London 2008 s9.2"),
    Fact("weapon_use", "level", "case", "higher", "How far a weapon was used. Fire and acid are weapons.",
         "incident.weapons, .violence, .threats", "NSPCC 2009 box 10", WEAPONS,
         suggested_by="the narrative names a weapon"),
    Fact("strangulation", "yes_no", "case", "higher", "Somebody was strangled or choked.",
         "incident.strangulation, .violence, .offences", "London 2008 s9.2",
         suggested_by="violence beyond a push or a slap, an injury, or the narrative"),
    Fact("sexual_violence", "yes_no", "case", "higher", "Sexual abuse of any kind.",
         "incident.sexual_offence, .violence, .offences", "London 2008 s9.2"),
    Fact("serious_sexual_offence", "yes_no", "case", "higher",
         "Rape or a serious sexual assault. A sexual offence without a word on how grave is taken as serious.",
         "incident.sexual_offence, .offences", "London 2008 s9.2, s10.9",
         suggested_by="sexual violence was recorded, or the narrative"),
    Fact("property_damaged", "yes_no", "case", "higher", "Property was damaged.",
         "incident.property_damaged, .offences", "London 2008 s9.2"),
    Fact("stalking", "yes_no", "case", "higher", "Stalking or harassment.",
         "incident.stalking, .violence, .offences", "London 2008 s9.2"),
    Fact("controlling_behaviour", "yes_no", "case", "higher", "Sustained control, emotional abuse, isolation.",
         "incident.violence, .offences, adults.controlling", "London 2008 s9.2"),
    Fact("contact_dispute", "yes_no", "case", "higher", "A dispute over contact with a child.",
         "incident.contact_dispute", "London 2008 s14.4; NSPCC 2009 s4.8"),
    Fact("separated", "yes_no", "case", "higher", "Victim and suspect have separated.",
         "relationships.kind, .separated_on", "London 2008 s14.4"),
    Fact("days_since_separation", "days", "case", "lower",
         "Days from the separation of victim and suspect to the incident.",
         "relationships.kind, .separated_on", "London 2008 s14.4"),
    Fact("separation_intended", "yes_no", "case", "higher", "The victim means to leave, or has said so.",
         "incident.separation_intended", "NSPCC 2009 s4.8; London 2008 s14.4"),
    Fact("honour_based", "yes_no", "case", "higher", "Honour-based violence.",
         "incident.honour_based", "London 2008 app. 2", suggested_by="the narrative"),
    Fact("forced_marriage", "yes_no", "case", "higher", "Forced marriage.",
         "incident.forced_marriage", "London 2008 app. 2", suggested_by="the narrative"),
    Fact("animals_harmed", "yes_no", "case", "higher", "Animals were harmed.",
         "incident.animals_harmed", "London 2008 s9.2"),
    Fact("escalating", "yes_no", "case", "higher", "Rising in severity or frequency, as the victim sees it.",
         "incident.escalating", "London 2008 s9.2"),
    Fact("orders_breached", "words", "case", "higher", "Orders, injunctions or bail that a suspect breached.",
         "adults.orders_breached of suspects, incident.offences", "London 2008 s9.2", ORDERS),
    Fact("family_factors", "words", "case", "higher",
         "What else weighs on the victim or the suspect: drink, drugs, mental health, self-harm.",
         "adults.factors of victims and suspects", "NSPCC 2009 s4.4, s9.5", get_args(v.Factor)),
    # The police's assessment
    Fact("police_level", "level", "case", "higher", "The police's risk level of the victim.",
         "risk.level", "London 2008 s10.5", v.POLICE_LEVELS),
    Fact("dash_yes_answers", "count", "case", "higher", "Yes answers on Dash; none on another tool.",
         "risk.tool, .yes_answers", "London 2008 app. 6"),
    Fact("assessor_concern", "yes_no", "case", "higher",
         "The assessor judges the risk higher than the answers say, and wrote why.",
         "risk.concern with .judgement or .heightened_concern", "London 2008 app. 6",
         suggested_by="a heightened concern or a judgement was written down"),
    # What was known before
    Fact("earlier_violent_incidents", "count", "case", "higher",
         "Earlier incidents of the family with physical violence.",
         "history.incidents", "London 2008 s9.2"),
    Fact("earlier_grave_incidents", "count", "case", "higher",
         "Earlier incidents of the family with a high level of violence.",
         "history.incidents", "London 2008 s9.2"),
    Fact("violent_incidents_12_months", "count", "case", "higher",
         "Incidents of the family with physical violence in 12 months, this one among them.",
         "this incident, history.incidents", "London 2008 s9.2"),
    Fact("pair_incidents", "count", "case", "higher",
         "Incidents of the same victim and perpetrator within the area's window, this one among them.",
         "this incident, history.incidents.pairs, the area's marac.escalation.months", "London 2008 app. 6"),
    Fact("family_incidents", "count", "case", "higher",
         "Incidents of the family that are known, whenever they were, this one among them.",
         "this incident, history.incidents", "NSPCC 2009 s9.4, s9.5"),
    *(
        Fact(f"family_incidents_{months}_months", "count", "case", "higher",
             f"Incidents of the family in {months} months, this one among them; both ends count.",
             "this incident, history.incidents", "NSPCC 2009 s6.5.1, s9.5, s9.6")
        for months in WINDOWS
    ),
    *(
        Fact(f"pair_incidents_{months}_months", "count", "case", "higher",
             f"Incidents of the same victim and perpetrator in {months} months, this one among them.",
             "this incident, history.incidents.pairs", "London 2008 app. 6")
        for months in WINDOWS
    ),
    Fact("medium_risk_incidents", "count", "case", "higher",
         "Known incidents of the family that the police put at medium risk or above, this one among them.",
         "risk.level, history.incidents.police_level", "NSPCC 2009 s9.5"),
    Fact("marac_referred_on", "day", "case", "higher",
         "The last MARAC referral of the same victim and perpetrator that the area still counts as a repeat.",
         "history.marac, the area's marac.repeat_months; both ends count", "London 2008 app. 6"),
    Fact("early_help_refused", "yes_no", "case", "higher",
         "The family refused a common (early help) assessment, or left one because of refusal.",
         "history.involvement.pathways.reason_closed", "London 2008 s9.4.2, s9.4.4"),
    Fact("css_involvement", "level", "case", "higher",
         "How far children's services have known the family: the most that is recorded of any child.",
         "history.involvement.level, .open, .pathways", "NSPCC 2009 s6.4", v.INVOLVEMENT_LEVELS),
    # For whom a service is meant
    Fact("children", "people", "case", "eligibility", "The children of the family that police or history know.",
         "children, children_known, adults.born", "London 2008 s9.6",
         suggested_by="the narrative speaks of a child"),
    Fact("attended", "yes_no", "case", "eligibility", "The police attended.", "attended, attended_at",
         "Victims and Prisoners Act 2024"),
    Fact("school_age_children", "people", "case", "eligibility",
         "Children from reception to 17, related to an adult involved, where the police attended.",
         "children.born, .school, relationships, attended", "Victims and Prisoners Act 2024"),
    Fact("victim_consents", "yes_no", "case", "eligibility", "The victim agreed to sharing with services.",
         "consent.given", "London 2008 s8.2"),
    Fact("suspect_willing", "yes_no", "case", "eligibility",
         "A suspect said that he would take up a programme. Only what is stated counts.",
         "adults.programme_willing of suspects", "London 2008 s9.4.2, s17.1.3"),
    Fact("interpreter_needed", "yes_no", "case", "eligibility",
         "A victim needs an interpreter. Only what is stated counts.",
         "adults.interpreter of victims", "NSPCC 2009 s10.5.3; London 2008 s3"),
    Fact("no_recourse", "yes_no", "case", "eligibility",
         "A victim has no recourse to public funds. Only what is stated counts.",
         "adults.no_recourse_to_public_funds of victims", "NSPCC 2009 s5.8, s10.5.3"),
    Fact("protective", "words", "case", "eligibility",
         "What protects: shown to people, never computed with.", "protective", "London 2008 s9.2.4",
         get_args(v.Protective)),
    # Each child by itself
    Fact("child_saw_or_heard", "yes_no", "child", "higher", "The child saw or heard it.",
         "children.presence", "NSPCC 2009 table 19"),
    Fact("child_present", "yes_no", "child", "higher", "The child was on the premises, awake or asleep.",
         "children.presence, .held_by_adult, .intervened", "NSPCC 2009 table 19"),
    Fact("child_involvement", "level", "child", "higher",
         "Where the child was, by the kinds of table 19; stepping in, calling or being held is taking part.",
         "children.presence, .held_by_adult, .intervened, .called_for_help", "NSPCC 2009 table 19",
         INVOLVEMENTS),
    Fact("child_threatened", "yes_no", "child", "higher", "The child was threatened.",
         "children.threatened, incident.threats", "London 2008 s9.2"),
    Fact("child_intervened", "yes_no", "child", "higher", "The child stepped in.",
         "children.intervened", "London 2008 s9.2"),
    Fact("child_hurt", "yes_no", "child", "higher", "The child was injured or assaulted in the incident.",
         "children.injured, .assaulted, incident.injuries, .offences", "NSPCC 2009 s6.5.4-6.5.5",
         suggested_by="an injury to a person not named"),
)  # fmt: skip

FACTS: Final[dict[str, Fact]] = {fact.name: fact for fact in _ALL}

PARAMETERS: Final = {"area.marac.escalation.incidents": "How many incidents the area calls an escalation."}
"""Numbers that an area sets, usable in a rule in place of a number."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """How an unknown is asked about. `because` tells what the asker may know, never what social care does."""

    because: str
    to: str = "police"


INQUIRIES: Final[dict[str, Inquiry]] = {
    "adults": Inquiry("Who was the victim and who the suspect decides which history counts."),
    "animals_harmed": Inquiry("Cruelty to animals is a sign of serious risk."),
    "assessor_concern": Inquiry("An assessor's concern, with its reason, brings the case to MARAC."),
    "attended": Inquiry("Where the police attended, the child's school is told."),
    "child_called_for_help": Inquiry("A child who asks for help is always referred."),
    "child_home_area": Inquiry("Where the child lives decides who answers for it."),
    "child_hurt": Inquiry("An injured or assaulted child is a matter for child protection."),
    "child_intervened": Inquiry("A child who steps in is in danger."),
    "child_saw_or_heard": Inquiry("What the child saw or heard decides how grave it is for the child."),
    "child_special_needs": Inquiry("A child with special needs can do less to keep itself safe."),
    "child_threatened": Inquiry("A threatened child is at serious risk."),
    "children": Inquiry("Whether there are children in the family decides whether anyone protects them."),
    "contact_dispute": Inquiry("A dispute over contact raises the danger."),
    "controlling_behaviour": Inquiry("Sustained control is abuse by itself."),
    "dash_yes_answers": Inquiry("The number of yes answers decides on MARAC."),
    "days_since_separation": Inquiry("Separation raises the danger for a time."),
    "escalating": Inquiry("Violence that is rising is a sign of serious risk."),
    "family_factors": Inquiry("Drink, drugs and poor mental health weigh on the whole family."),
    "forced_marriage": Inquiry("Forced marriage is handled apart from the family."),
    "honour_based": Inquiry("Honour-based violence is handled apart from the family."),
    "injury_severity": Inquiry("Injury, and treatment, decide how grave the violence was."),
    "mother_special_needs": Inquiry("A mother with special needs can do less to keep safe."),
    "orders_breached": Inquiry("Who breaches an order is not held back by one."),
    "police_level": Inquiry("The police's risk level sets a floor."),
    "property_damaged": Inquiry("Damage to property is intimidation."),
    "separation_intended": Inquiry("Danger rises when the victim means to leave."),
    "serious_sexual_offence": Inquiry("A sexual offence is among the gravest signs."),
    "stalking": Inquiry("Stalking is a sign of serious risk."),
    "strangulation": Inquiry("Strangulation is among the gravest signs."),
    "suspect_pregnant": Inquiry("An unborn child of the family is never below an assessment."),
    "threats": Inquiry("A threat to kill is among the gravest signs."),
    "victim_consents": Inquiry("With the victim's agreement a specialist service can support her."),
    "victim_home_area": Inquiry("Where the victim lives decides who answers for her."),
    "victim_pregnant": Inquiry("If she is pregnant, midwifery is told."),
    "victim_vulnerable": Inquiry("A vulnerable adult is owed safeguarding of her own."),
    "violence": Inquiry("The kind of violence decides how grave it was."),
    "weapon_use": Inquiry("A weapon, used or threatened, is among the gravest signs."),
    "youngest_child_months": Inquiry("A child's age decides what it is owed."),
}  # fmt: skip
