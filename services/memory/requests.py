"""Memory's protobuf requests, as the domain takes them. Used by the servicer alone."""

from datetime import UTC, datetime, timedelta

from batos.memory.v1 import memory_pb2 as pb
from google.protobuf.message import Message

from services.memory.change import Change
from services.memory.filters import SPEAKER_LIMIT, Filters
from services.memory.query import DEFAULT_HALF_LIFE, Mode, Preferences, Query
from services.memory.records import LABEL_LIMIT, Draft, Level, moment_of
from services.memory.scope import Conditions, Position, Selection
from shared import pages
from shared.errors import InvalidArgument, Violation

_SELECTORS = ("ids", "soma", "filter", "whole_namespace")


def episode_drafts(request: pb.CreateEpisodesRequest) -> list[Draft]:
    """The batch as drafts."""
    return [
        Draft(
            namespace=request.namespace,
            level=Level.EPISODE,
            soma=episode.soma,
            speaker=episode.speaker,
            text=episode.text,
            created_at=_moment(episode, f"episodes[{place}].created_at"),
            importance=episode.importance,
            metadata=dict(episode.metadata),
        )
        for place, episode in enumerate(request.episodes)
    ]


def summary_draft(request: pb.CreateSummaryRequest) -> Draft:
    """The summary as a draft."""
    return Draft(
        namespace=request.namespace,
        level=Level.SUMMARY,
        soma=request.soma,
        speaker="",
        text=request.text,
        created_at=_moment(request, "created_at"),
        metadata=dict(request.metadata),
    )


def query(request: pb.SearchRequest) -> Query:
    """What to search for; an unspecified level means episodes."""
    if request.level not in (pb.LEVEL_UNSPECIFIED, pb.LEVEL_SUMMARY, pb.LEVEL_EPISODE):
        raise InvalidArgument.of_field("level", "must be LEVEL_SUMMARY or LEVEL_EPISODE")
    if request.mode not in pb.SearchMode.values():
        raise InvalidArgument.of_field("mode", "must be a SearchMode that this service knows")
    return Query(
        namespace=request.namespace,
        text=request.query,
        limit=request.limit,
        level=Level(request.level or pb.LEVEL_EPISODE),
        somas=tuple(request.somas),
        excluded_somas=tuple(request.excluded_somas),
        mode=Mode(request.mode or pb.SEARCH_MODE_HIERARCHICAL),
        filters=_filters(request),
        preferences=_preferences(request),
    )


def _preferences(request: pb.SearchRequest) -> Preferences:
    given = request.HasField("recency_half_life")
    return Preferences(
        recency=request.recency_weight,
        importance=request.importance_weight,
        half_life=_span(request) if given else DEFAULT_HALF_LIFE,
    )


def _span(request: pb.SearchRequest) -> timedelta:
    try:
        return request.recency_half_life.ToTimedelta()
    except (ValueError, OverflowError):
        raise InvalidArgument.of_field("recency_half_life", "must be a valid span") from None


def _filters(given: pb.SearchRequest | pb.RecordFilter, prefix: str = "") -> Filters:
    begin = _moment(given, f"{prefix}created_from")
    end = _moment(given, f"{prefix}created_before")
    if begin and end and end <= begin:
        raise InvalidArgument.of_field(f"{prefix}created_before", "must be after created_from")
    if len(given.speakers) > SPEAKER_LIMIT:
        raise InvalidArgument.of_field(
            f"{prefix}speakers", f"must hold at most {SPEAKER_LIMIT} names"
        )
    if len(given.metadata) > LABEL_LIMIT:
        raise InvalidArgument.of_field(
            f"{prefix}metadata", f"must have at most {LABEL_LIMIT} labels"
        )
    return Filters(begin, end, tuple(given.speakers), dict(given.metadata))


def selection(request: pb.ForgetRequest) -> Selection:
    """What to forget; InvalidArgument where no selector is set."""
    chosen = request.WhichOneof("selector")
    if chosen == "soma" and request.soma:
        return Selection(request.namespace, soma=request.soma)
    if chosen == "ids" and request.ids.ids:
        return Selection(request.namespace, ids=tuple(request.ids.ids))
    if chosen == "filter" and (conditions := _conditions(request.filter)):
        return Selection(request.namespace, conditions=conditions)
    if chosen == "whole_namespace" and request.whole_namespace:
        return Selection(request.namespace)
    raise InvalidArgument(
        "selector: must name ids, a soma, a filter with a condition, or the whole namespace",
        [Violation(name, "or another selector must be set") for name in _SELECTORS],
    )


def listed(request: pb.ListRequest) -> Selection:
    """What to list."""
    return Selection(request.namespace, conditions=_conditions(request.filter))


def _conditions(given: pb.RecordFilter) -> Conditions:
    if given.level not in pb.Level.values():
        raise InvalidArgument.of_field("filter.level", "must be LEVEL_SUMMARY or LEVEL_EPISODE")
    level = Level(given.level) if given.level else None
    return Conditions(level, tuple(given.somas), _filters(given, "filter."))


def change(request: pb.UpdateRequest) -> Change:
    """What to change; InvalidArgument where the mask names nothing, or what cannot be changed."""
    paths = set(request.update_mask.paths)
    if not paths or not paths <= {"text", "importance", "metadata"}:
        raise InvalidArgument.of_field("update_mask", "must name text, importance or metadata")
    return Change(
        id=request.id,
        text=request.text if "text" in paths else None,
        importance=request.importance if "importance" in paths else None,
        metadata=dict(request.metadata) if "metadata" in paths else None,
    )


def position(page_token: str) -> Position | None:
    """Where a page begins; InvalidArgument where the token cannot be ours."""
    if not page_token:
        return None
    microseconds, _, row_id = pages.id_of(page_token).partition(".")
    try:
        if not row_id:
            raise ValueError
        return moment_of(int(microseconds)), row_id
    except (ValueError, OverflowError):
        raise InvalidArgument.of_field("page_token", "is not one of ours") from None


def _moment(message: Message, field: str) -> datetime | None:
    name = field.rpartition(".")[2]
    if not message.HasField(name):
        return None
    try:
        moment: datetime = getattr(message, name).ToDatetime(tzinfo=UTC)
        return moment
    except (ValueError, OverflowError):
        raise InvalidArgument.of_field(field, "must be a valid time") from None
