"""Serializers: objects to bytes, and back. A file each, named after its format.

``JsonSerializer`` is the default of entities, and ``PickleSerializer`` that of most queues.
``OrjsonSerializer`` is JSON, faster; ``LiteralSerializer`` writes Python literals, one line each, for queues
in pipes; ``RawSerializer`` passes bytes through. These have one format for both directions.

``AdaptixSerializer`` converts and validates models, separately for requests and responses, on top of one of
the others, which makes the bytes. Its parts have files of their own: ``handler_models`` reads the models from
a handler's annotations; ``likeness`` compares an object with its loaded copy, since adaptix does not check
what it dumps; ``load_failure`` turns adaptix's errors into one line of text. ``plain_literal`` is the fast
path of literals.

A serializer gets bytes from other processes: except for pickle, loading must not run code that the bytes
name. Serializers know nothing of frames, queues or sessions. This package imports no optional package; a
serializer imports its own when it is made, and raises FeatureNotAvailable if it is missing.
"""

from communica_like.abc import Codec, Serializer
from communica_like.serializers.adaptix_codec import AdaptixSerializer
from communica_like.serializers.json_codec import JsonSerializer
from communica_like.serializers.literal_codec import LiteralSerializer
from communica_like.serializers.orjson_codec import OrjsonSerializer
from communica_like.serializers.pickle_codec import PickleSerializer
from communica_like.serializers.raw_codec import RawSerializer

__all__ = [
    "AdaptixSerializer",
    "Codec",
    "JsonSerializer",
    "LiteralSerializer",
    "OrjsonSerializer",
    "PickleSerializer",
    "RawSerializer",
    "Serializer",
]
