"""Score on Apache Spark: from Parquet or lines of JSON to Parquet, with the bundle's own code.

Every conversation is one row, scored by one worker, so tasks need nothing of each other: a task
whose executor dies is done again, and what it had written is thrown away. The bundle goes to the
executors as an archive; handoff_eval itself has to be installed on each node.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_eval.errors import DataError, MissingExtraError, SettingsError
from handoff_eval.production.bundle import Bundle
from handoff_eval.production.score import Scored

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

_SETTINGS = {
    # A task of a few megabytes of text takes minutes with an encoder: that much is lost with it.
    "spark.sql.files.maxPartitionBytes": "8m",
    "spark.sql.files.openCostInBytes": "256k",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "500",
}


def open_spark(
    *, master: str | None = None, settings: Mapping[str, str] | None = None
) -> SparkSession:
    """Return a Spark session with settings that suit scoring.

    Parameters
    ----------
    master : str, optional
        Such as `spark://host:7077`; where `spark-submit` or Spark's own files name none, every
        core of this machine.
    settings : mapping of str to str, optional
        Spark's settings by name; they win over those made here.

    Raises
    ------
    MissingExtraError
        When pyspark or Java is not installed.
    SettingsError
        When Spark doesn't start.
    """
    try:
        with _quiet():
            from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtraError(
            f"Expected {error.name}, which scoring on Spark needs; it is not installed. "
            "Run: pip install 'handoff-eval[spark]'"
        ) from None
    java = os.environ.get("JAVA_HOME")
    if not (Path(java, "bin", "java").is_file() if java else shutil.which("java")):
        raise MissingExtraError(
            "Expected Java 17 or later for Spark, in JAVA_HOME or on the path; found none. "
            "Debian: apt-get install default-jre-headless"
        )
    # Else local workers take whichever python3 comes first on the path.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("handoff-eval score")
    if master is not None:
        builder = builder.master(master)
    for name, value in {**_SETTINGS, **(settings or {})}.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except Exception as error:  # of kinds that name Java's own
        raise SettingsError(
            f"Expected Spark to start; {_first_line(error)} It says more above."
        ) from None


def score_on_spark(spark: SparkSession, bundle: Bundle, source: str, *, to: str) -> Scored:
    """Write one row for each conversation of the source, decided or refused, as Parquet.

    Parameters
    ----------
    spark : SparkSession
    bundle : Bundle
        What decides, sent to the executors as it stands in its folder.
    source : str
        A dataset folder or file of JSON lines (`.jsonl`), or Parquet (docs/scale.md); any address
        that Spark reads.
    to : str
        Folder to be made; it holds `_SUCCESS` once all is written.

    Returns
    -------
    Scored
        Counted in what was written.

    Raises
    ------
    DataError
        When the source can't be read or lacks a column, something is at `to`, or the job failed.
    SettingsError
        When a node lacks handoff_eval or has another version of it.
    """
    from pyspark.sql import functions as F  # noqa: N812 - its name everywhere

    with _in_words(to):
        _decided(spark, source, _sent(spark, bundle)).write.mode("error").parquet(to)
        made = spark.read.parquet(to).agg(F.count("fired"), F.count_if("fired"), F.count("refused"))
        decided, fired, refused = made.head() or (0, 0, 0)
    return Scored(int(decided), int(fired), int(refused), 0)


def _decided(spark: SparkSession, source: str, archive: str) -> DataFrame:
    from pyspark.sql.pandas.types import from_arrow_schema

    from handoff_eval.production.spark.source import is_lines, read_lines, read_table
    from handoff_eval.production.spark.worker import ROWS, Task, decide_lines, decide_rows

    task = Task(archive)
    with _quiet():
        if is_lines(source):
            frame, before = read_lines(spark, source)

            def lines(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
                return decide_lines(batches, task, before)

            return frame.mapInArrow(lines, from_arrow_schema(ROWS))

        def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            return decide_rows(batches, task)

        return read_table(spark, source).mapInArrow(rows, from_arrow_schema(ROWS))


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what Spark says of any use of pandas 3; only Arrow's tables pass here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
        yield


def _sent(spark: SparkSession, bundle: Bundle) -> str:
    """Send a bundle to the executors, once a session, and return its name there.

    An executor that starts late fetches all that was ever sent, for whatever job, and dies where
    one is gone. So the archive stays until the driver ends.
    """
    name = f"handoff-bundle-{bundle.digest[:16]}"
    if not any(sent.endswith(f"#{name}") for sent in spark.sparkContext.listArchives):
        folder = tempfile.mkdtemp(prefix="handoff-bundle-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        packed = Path(folder) / f"{name}.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            for file in sorted(bundle.path.iterdir()):
                if file.is_file() and not file.is_symlink():
                    archive.write(file, file.name)
        spark.sparkContext.addArchive(f"{packed}#{name}")
    return name


@contextmanager
def _in_words(to: str) -> Iterator[None]:
    """Turn what Spark raises into one sentence; its own log has the rest."""
    from pyspark.errors import AnalysisException, PySparkException

    try:
        yield
    except AnalysisException as error:
        if "ALREADY_EXISTS" in str(error.getCondition()):
            raise DataError(
                f"Expected {to} to be free; something is there. Name another folder, or delete it "
                "(without _SUCCESS in it, it is of a job that didn't end)."
            ) from None
        raise DataError(f"Expected a source that Spark reads; {_first_line(error)}") from None
    except PySparkException as error:
        said = str(error)
        if own := re.search(r"handoff_eval\.errors\.\w+: (.+)", said):
            raise SettingsError(f"On a worker: {own[1].strip()}") from None
        if missing := re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", said):
            raise SettingsError(
                f"Expected handoff-eval[spark] on each node; a worker has no {missing[1]}. "
                "Install it there, and name its Python in PYSPARK_PYTHON."
            ) from None
        raise DataError(f"Expected the job to end; {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
