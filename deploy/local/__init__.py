"""What Waymark runs on, brought to one machine: real Apache Kafka and real PostgreSQL.

    async with LocalRuntime(data_dir, progress=say) as parts:
        ...  # parts.kafka, parts.database, parts.kafka_pid, parts.postgres_pid

Both are child processes that die with their parent, however it dies, and that are started again, on the
same data and address, when they are killed. Everything that can be wrong with the machine is told as
RuntimeTrouble, in one sentence. For trying, developing, testing and measuring; a real deployment gives
WAYMARK_KAFKA and WAYMARK_DATABASE instead.
"""

from .datadir import default_data_dir, read_parts
from .runtime import LocalRuntime, Name, Parts, PartStatus
from .settings import LocalSettings, runtime_from_environment
from .trouble import RuntimeTrouble

__all__ = [
    "LocalRuntime",
    "LocalSettings",
    "Name",
    "PartStatus",
    "Parts",
    "RuntimeTrouble",
    "default_data_dir",
    "read_parts",
    "runtime_from_environment",
]
