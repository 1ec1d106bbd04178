"""Filters of Lance queries. Values are bound as literals, never pasted into SQL."""

import json
import uuid
from collections.abc import Sequence
from functools import reduce
from operator import and_

from lancedb.expr import Expr, col, lit

from services.memory.filters import Filters
from services.memory.records import Level
from services.memory.scope import Position, Scope, Selection


def of_soma(namespace: str, soma: str) -> Expr:
    """All rows of a Soma."""
    return (col("namespace") == lit(namespace)) & (col("soma") == lit(soma))


def selected(selection: Selection) -> Expr:
    """The rows of a selection."""
    where = col("namespace") == lit(selection.namespace)
    if selection.soma is not None:
        where = where & (col("soma") == lit(selection.soma))
    if selection.ids is not None:
        where = where & col("id").isin(list(selection.ids))
    if conditions := selection.conditions:
        if conditions.level:
            where = where & (col("level") == lit(int(conditions.level)))
        if conditions.somas:
            where = where & col("soma").isin(list(conditions.somas))
        if conditions.filters:
            where = where & _admitted(conditions.filters)
    return where


def ids_sql(ids: Sequence[str]) -> str:
    """Rows with these ids, where Lance takes nothing but SQL; ids are hexadecimal, so they can
    be pasted. ValueError where one is not.
    """
    quoted = ", ".join(f"'{uuid.UUID(row_id).hex}'" for row_id in ids)
    return f"id IN ({quoted})"


def behind(position: Position) -> Expr:
    """The rows that come after a position, by time and then by id."""
    moment, row_id = position
    at = col("created_at")
    return (at > lit(moment)) | ((at == lit(moment)) & (col("id") > lit(row_id)))


def beside(namespace: str, somas: Sequence[str], ordinals: Sequence[int]) -> Expr:
    """The episodes of some Somas at some ordinals."""
    return (
        (col("namespace") == lit(namespace))
        & col("soma").isin(list(somas))
        & col("ordinal").isin(list(ordinals))
        & (col("level") == lit(int(Level.EPISODE)))
    )


def in_scope(scope: Scope) -> Expr:
    """The rows that a search looks at."""
    where = col("namespace") == lit(scope.namespace)
    if set(scope.levels) != set(Level):
        where = where & col("level").isin([int(level) for level in scope.levels])
    if scope.somas:
        where = where & col("soma").isin(list(scope.somas))
    if scope.excluded_somas:
        where = where & ~col("soma").isin(list(scope.excluded_somas))
    if scope.filters:
        admitted = _admitted(scope.filters)
        if set(scope.levels) == {Level.SUMMARY}:
            return where & admitted
        return where & (admitted | (col("level") == lit(int(Level.SUMMARY))))
    return where


def _admitted(filters: Filters) -> Expr:
    """The same as Filters.admit."""
    # A label as json.dumps has it: in a value its quotes would be escaped, so it is found as a
    # label alone.
    labels = (json.dumps({name: value})[1:-1] for name, value in filters.labels.items())
    conditions = [col("metadata").contains(lit(label)) for label in labels]
    if filters.begin:
        conditions.append(col("created_at") >= lit(filters.begin))
    if filters.end:
        conditions.append(col("created_at") < lit(filters.end))
    if filters.speakers:
        conditions.append(col("speaker").isin(list(filters.speakers)))
    return reduce(and_, conditions)
