"""What a Spark job reads: lines of JSON, or Parquet with a row a conversation or a row a turn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.errors import DataError
from handoff_eval.transcripts.write import TRANSCRIPTS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import DataType

_WAVES = 4
"""Tasks a core, so that one that takes longer doesn't leave the others waiting."""


def is_lines(source: str) -> bool:
    """Return whether a source is lines of JSON: by its name, or a dataset folder."""
    return source.endswith((".jsonl", ".jsonl.gz")) or (Path(source) / TRANSCRIPTS).is_file()


def read_lines(spark: SparkSession, source: str) -> tuple[DataFrame, dict[tuple[str, int], int]]:
    """Return lines as bytes with their place, and how many stand before each block of a file.

    Spark splits a file into blocks and takes them in any order, so a first job counts lines.
    """
    from pyspark.sql import functions as F  # noqa: N812 - its name everywhere

    folder = Path(source) / TRANSCRIPTS
    path = str(folder) if folder.is_file() else source
    lines = spark.read.text(path, lineSep="\n").select(
        F.col("_metadata.file_path").alias("file"),
        F.col("_metadata.file_block_start").alias("block"),
        F.col("value").cast("binary").alias("value"),
    )
    before: dict[tuple[str, int], int] = {}
    counted = lines.groupBy("file", "block").count().orderBy("file", "block").collect()
    total: dict[str, int] = {}
    for file, block, count in counted:
        before[file, block] = total.get(file, 0)
        total[file] = before[file, block] + count
    return lines, before


def read_table(spark: SparkSession, source: str) -> DataFrame:
    """Return a row a conversation of a Parquet table: `file`, `line`, `id` and `turns` as bytes.

    Only the columns that a decision needs are read.

    Raises
    ------
    DataError
        When the table has neither a row a conversation (`id` and `turns`) nor a row a turn
        (`conversation_id`, `turn`, `role` and `text`).
    """
    from pyspark.sql import functions as F  # noqa: N812 - its name everywhere
    from pyspark.sql import types as T  # noqa: N812 - its name everywhere

    table = spark.read.parquet(source)
    columns = {field.name: field.dataType for field in table.schema}
    if _is_text(columns.get("id")) and _has_words(columns.get("turns")):
        spoken = F.transform(
            "turns",
            lambda turn: F.when(
                turn.isNotNull(), _said(F.lit(None).cast("bigint"), turn["role"], turn["text"])
            ),
        )
        rows = table.select(
            F.col("_metadata.file_path").alias("file"),
            (F.col("_metadata.row_index") + 1).alias("line"),
            F.col("id").cast("binary").alias("id"),
            spoken.alias("turns"),
        )
        wanted = _WAVES * spark.sparkContext.defaultParallelism
        # A file of one row group is one task however long it takes.
        return rows if rows.rdd.getNumPartitions() >= wanted else rows.repartition(wanted, "id")
    numbered = isinstance(columns.get("turn"), T.IntegralType)
    if numbered and all(
        _is_text(columns.get(name)) for name in ("conversation_id", "role", "text")
    ):
        number = F.coalesce(F.col("turn").cast("bigint"), F.lit(-1).cast("bigint"))
        said = _said(number, F.col("role"), F.col("text"))
        return (
            table.groupBy(F.col("conversation_id").cast("binary").alias("id"))
            .agg(F.sort_array(F.collect_list(said)).alias("turns"))
            .select(
                F.lit(None).cast("string").alias("file"),
                F.lit(None).cast("bigint").alias("line"),
                "id",
                "turns",
            )
        )
    found = ", ".join(f"{name} ({kind.simpleString()[:80]})" for name, kind in columns.items())
    raise DataError(
        f"Expected a table with a row a conversation, id (string) and turns "
        f"(array<struct<role:string,text:string>>), or with a row a turn, conversation_id "
        f"(string), turn (bigint), role (string) and text (string); {source} has {found}."
    )


def _said(number: Column, role: Column, text: Column) -> Column:
    from pyspark.sql import functions as F  # noqa: N812 - its name everywhere

    return F.struct(
        number.alias("number"),
        role.cast("binary").alias("role"),
        text.cast("binary").alias("text"),
    )


def _is_text(kind: DataType | None) -> bool:
    from pyspark.sql import types as T  # noqa: N812 - its name everywhere

    return isinstance(kind, T.StringType | T.BinaryType)


def _has_words(turns: DataType | None) -> bool:
    from pyspark.sql import types as T  # noqa: N812 - its name everywhere

    if not isinstance(turns, T.ArrayType) or not isinstance(turns.elementType, T.StructType):
        return False
    fields = {field.name: field.dataType for field in turns.elementType}
    return _is_text(fields.get("role")) and _is_text(fields.get("text"))
