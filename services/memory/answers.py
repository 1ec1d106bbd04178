"""What the domain answers, as Memory's protobuf messages. Used by the servicer alone."""

from collections.abc import Sequence
from datetime import datetime

from batos.memory.v1 import memory_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from services.memory.query import Found
from services.memory.records import Record, microseconds_of
from services.memory.reembedding import Progress
from services.memory.scrapbook import Stats
from services.memory.statistics import TableStatistics
from shared import pages


def list_response(records: Sequence[Record], size: int) -> pb.ListResponse:
    """A page of at most `size` of the records, which are one more where there are more."""
    shown, more = pages.fitting([record_message(record) for record in records], size)
    token = ""
    if more:
        last = records[len(shown) - 1]
        token = f"{microseconds_of(last.created_at)}.{last.id}"
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


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
