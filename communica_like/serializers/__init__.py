"""The serializers that come along. Importing this package imports no optional package."""

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
