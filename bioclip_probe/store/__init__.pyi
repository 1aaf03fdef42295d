from . import append_only as append_only
from . import shards as shards
from . import verify as verify
from .store import Store as Store
from .store import open_store as open_store
