"""Fragments as words in memory: some 200 bytes for one, where frames take three times as much.

A fragment is a head of `_HEAD` words, then its pages, products and experiments, then the times of its deciders with the
lengths of their ids, then these ids.
"""

from __future__ import annotations

import numpy as np

from schemas.distinct import Ints, begins
from schemas.fragments import ATTRIBUTES, CODE_BITS, COUNTS, NOTHING, Fragments, Lists
from schemas.ids import WORD, Ids
from streams.heap import BLOCK, Run, ramp

_LISTS = 4
_HALVES = slice(2, 2 + (len(COUNTS) + _LISTS) // 2)
"""Where a head has numbers of 32 bits: the counts, and the lengths of the lists. Before are the times."""
_ATTRIBUTES = slice(_HALVES.stop, _HALVES.stop + len(ATTRIBUTES))
_HEAD = _ATTRIBUTES.stop
_TIME_BITS = 43
_TIME = (1 << _TIME_BITS) - 1


def pack(fragments: Fragments) -> Run:
    """Runs of the groups; the fragments of one lie next to each other, and so do deciders."""
    of = fragments
    id_sizes = -(-of.ids.lengths // WORD)
    ids = Lists(id_sizes, _summed(id_sizes, of.times.lengths))
    lists = (of.pages, of.products, of.experiments, of.times)
    sizes = _HEAD + sum(each.lengths for each in lists) + ids.lengths
    starts = np.flatnonzero(begins(of.group))
    padded = -(-np.add.reduceat(sizes, starts) // BLOCK) * BLOCK if len(starts) else sizes
    run_begins = np.cumsum(padded) - padded
    rows = np.diff(np.append(starts, len(of)))
    at = np.repeat(run_begins, rows) + _within(sizes, rows)
    words = np.zeros(int(padded.sum()), np.int64)
    first_decider = np.cumsum(of.times.lengths) - of.times.lengths
    words[at[:, None] + np.arange(_HEAD)] = _heads(of, sizes, first_decider)
    own = np.repeat(first_decider << CODE_BITS, of.products.lengths)
    times = of.times.values | of.ids.lengths << _TIME_BITS
    at = at + _HEAD
    for values, lengths in (
        (of.pages.values, of.pages.lengths),
        (of.products.values - own, of.products.lengths),
        (of.experiments.values, of.experiments.lengths),
        (times, of.times.lengths),
        (_id_words(of.ids, id_sizes), ids.lengths),
    ):
        words[ramp(at, lengths)] = values
        at = at + lengths
    return Run(of.group[starts], words.view(np.uint64), run_begins, rows)


def unpack(run: Run) -> Fragments:
    """The fragments of the runs, whose owners are their groups."""
    words = run.words.view(np.int64)
    at = _fragments_at(words, run)
    heads = words[at[:, None] + np.arange(_HEAD)]
    halves = np.ascontiguousarray(heads[:, _HALVES]).view(np.uint32).T.astype(np.int64)
    lists, at = [], at + _HEAD
    for lengths in halves[len(COUNTS) :]:
        lists.append(Lists(words[ramp(at, lengths)], lengths))
        at = at + lengths
    pages, products, experiments, times = lists
    id_lengths = times.values >> _TIME_BITS
    id_sizes = -(-id_lengths // WORD)
    first_decider = np.cumsum(times.lengths) - times.lengths
    own = first_decider << CODE_BITS
    attributes = heads[:, _ATTRIBUTES].T
    return Fragments(
        group=np.repeat(run.owners, run.rows),
        start=heads[:, 0] & _TIME,
        end=heads[:, 1],
        counts=halves[: len(COUNTS)],
        attributes=np.where(attributes == NOTHING, NOTHING, attributes + own),
        pages=pages,
        products=Lists(products.values + np.repeat(own, products.lengths), products.lengths),
        experiments=experiments,
        times=Lists(times.values & _TIME, times.lengths),
        ids=_ids(words, np.repeat(at, times.lengths) + _within(id_sizes, times.lengths), id_sizes, id_lengths),
    )


def _heads(of: Fragments, sizes: Ints, first_decider: Ints) -> Ints:
    """The first word has the size of all of the fragment, too."""
    heads = np.empty((len(of), _HEAD), np.int64)
    heads[:, 0], heads[:, 1] = of.start | sizes << _TIME_BITS, of.end
    lengths = [each.lengths for each in (of.pages, of.products, of.experiments, of.times)]
    halves = np.empty((len(of), len(COUNTS) + _LISTS), np.uint32)
    halves[:, : len(COUNTS)] = of.counts.T
    halves[:, len(COUNTS) :] = np.stack(lengths, axis=1)
    heads[:, _HALVES] = halves.view(np.int64)
    own = of.attributes - (first_decider << CODE_BITS)
    heads[:, _ATTRIBUTES] = np.where(of.attributes == NOTHING, NOTHING, own).T
    return heads


def _fragments_at(words: Ints, run: Run) -> Ints:
    """Where each fragment begins: those of one run follow each other."""
    of_run = np.cumsum(run.rows) - run.rows
    at = np.empty(int(run.rows.sum()), np.int64)
    place, left = run.begins, np.arange(len(run.rows))
    for number in range(int(run.rows.max(initial=0))):
        more = run.rows[left] > number
        place, left = place[more], left[more]
        at[of_run[left] + number] = place
        place = place + (words[place] >> _TIME_BITS)
    return at


def _id_words(ids: Ids, sizes: Ints) -> Ints:
    """The ids' words end to end."""
    table = ids.words.view(np.int64)
    if (sizes == table.shape[1]).all():
        return table.ravel()
    return table[np.arange(table.shape[1]) < sizes[:, None]]


def _ids(words: Ints, at: Ints, sizes: Ints, lengths: Ints) -> Ids:
    """The ids whose words begin there."""
    width = max(1, int(sizes.max(initial=0)))
    if (sizes == width).all():
        return Ids(words[at[:, None] + np.arange(width)].view(np.uint64), lengths)
    table = np.zeros((len(at), width), np.int64)
    table[np.arange(width) < sizes[:, None]] = words[ramp(at, sizes)]
    return Ids(table.view(np.uint64), lengths)


def _summed(values: Ints, lengths: Ints) -> Ints:
    """The sum of each list of values."""
    upto, ends = np.append(0, np.cumsum(values)), np.cumsum(lengths)
    sums: Ints = upto[ends] - upto[ends - lengths]
    return sums


def _within(sizes: Ints, lengths: Ints) -> Ints:
    """Of each value, the sum of those before it in its list."""
    before = np.cumsum(sizes) - sizes
    first = np.cumsum(lengths) - lengths
    filled = lengths > 0
    within: Ints = before - np.repeat(before[first[filled]], lengths[filled])
    return within
