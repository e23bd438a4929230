"""What a person decides about duplicates, as rules: which videos form a group, which of them is worth
keeping, what a decision speaks of, and which objects it condemns. Pure: no database, bucket or network.
"""

from inspector.review.groups import Edge, Group, form_groups
from inspector.review.keepers import Copy, Keeper, suggest_keeper
from inspector.review.losses import Confirmed, Holding, Loss, Losses, find_losses
from inspector.review.subjects import GroupId, PairId, StretchId, Subject, parse_subject

__all__ = [
    "Confirmed",
    "Copy",
    "Edge",
    "Group",
    "GroupId",
    "Holding",
    "Keeper",
    "Loss",
    "Losses",
    "PairId",
    "StretchId",
    "Subject",
    "find_losses",
    "form_groups",
    "parse_subject",
    "suggest_keeper",
]
