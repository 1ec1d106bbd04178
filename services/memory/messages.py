"""Memory's protobuf messages to the domain and back. Used by the servicer alone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from batos.memory.v1 import memory_pb2 as pb
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.memory.change import Change
from services.memory.filters import SPEAKER_LIMIT, Filters
from services.memory.query import DEFAULT_HALF_LIFE, Found, Mode, Preferences, Query
from services.memory.records import LABEL_LIMIT, Draft, Level, Record
from services.memory.reembedding import Progress
from services.memory.scrapbook import Stats
from services.memory.store import Conditions, Position, Selection, TableStatistics
from shared import pages
from shared.errors import InvalidArgument, Violation

_EPOCH = datetime.fromtimestamp(0, UTC)
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


def _filters(request: pb.SearchRequest | pb.RecordFilter) -> Filters:
    begin, end = _moment(request, "created_from"), _moment(request, "created_before")
    if begin and end and end <= begin:
        raise InvalidArgument.of_field("created_before", "must be after created_from")
    if len(request.speakers) > SPEAKER_LIMIT:
        raise InvalidArgument.of_field("speakers", f"must hold at most {SPEAKER_LIMIT} names")
    if len(request.metadata) > LABEL_LIMIT:
        raise InvalidArgument.of_field("metadata", f"must have at most {LABEL_LIMIT} labels")
    return Filters(begin, end, tuple(request.speakers), dict(request.metadata))


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
    return Conditions(level, tuple(given.somas), _filters(given))


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
        return _EPOCH + timedelta(microseconds=int(microseconds)), row_id
    except (ValueError, OverflowError):
        raise InvalidArgument.of_field("page_token", "is not one of ours") from None


def list_response(records: Sequence[Record], size: int) -> pb.ListResponse:
    """A page of at most `size` of the records, which are one more where there are more."""
    shown, more = pages.fitting([record_message(record) for record in records], size)
    token = ""
    if more:
        last = records[len(shown) - 1]
        token = f"{(last.created_at - _EPOCH) // timedelta(microseconds=1)}.{last.id}"
    return pb.ListResponse(records=shown, next_page_token=token)


def record_message(record: Record) -> pb.Record:
    """A record for the wire."""
    return pb.Record(
        id=record.id,
        namespace=record.namespace,
        level=pb.Level.ValueType(int(record.level)),
        parent_id=record.parent_id,
        soma=record.soma,
        speaker=record.speaker,
        text=record.text,
        created_at=_timestamp(record.created_at),
        content_hash=record.content_hash,
        importance=record.importance,
        metadata=record.metadata,
    )


def search_response(hits: Sequence[Found]) -> pb.SearchResponse:
    """The hits for the wire, in their order."""
    return pb.SearchResponse(
        hits=[
            pb.Hit(
                record=record_message(hit.record),
                score=hit.score,
                parts=pb.ScoreParts(
                    vector=hit.vector, text=hit.text, parent=hit.prior, bonus=hit.bonus
                ),
            )
            for hit in hits
        ]
    )


def stats_response(stats: Stats) -> pb.GetStatsResponse:
    """The counts for the wire."""
    return pb.GetStatsResponse(
        namespaces=[
            pb.NamespaceStats(
                namespace=count.namespace,
                episode_count=count.episodes,
                summary_count=count.summaries,
            )
            for count in stats.namespaces
        ],
        embedder=stats.embedder,
        dimension=stats.dimension,
        table=table_message(stats.table),
    )


def table_message(table: TableStatistics) -> pb.TableStats:
    """The table's figures for the wire."""
    indexes = [
        pb.IndexStats(
            column=index.column,
            kind=index.kind,
            indexed_row_count=index.indexed_rows,
            unindexed_row_count=index.unindexed_rows,
            disk_bytes=index.disk_bytes,
        )
        for index in table.indexes
    ]
    return pb.TableStats(
        row_count=table.rows,
        unindexed_row_count=max((index.unindexed_rows for index in table.indexes), default=0),
        fragment_count=table.fragments,
        disk_bytes=table.disk_bytes,
        indexes=indexes,
    )


def progress_message(progress: Progress) -> pb.ReembedResponse:
    """How far a migration is, for the wire."""
    return pb.ReembedResponse(
        done_count=progress.done,
        total_count=progress.total,
        embedder=progress.embedder,
        finished=progress.finished,
    )


def _moment(message: Message, field: str) -> datetime | None:
    name = field.rpartition(".")[2]
    if not message.HasField(name):
        return None
    try:
        moment: datetime = getattr(message, name).ToDatetime(tzinfo=UTC)
        return moment
    except (ValueError, OverflowError):
        raise InvalidArgument.of_field(field, "must be a valid time") from None


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
