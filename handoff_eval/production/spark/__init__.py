"""Scoring on Apache Spark, where one machine is outgrown; the same rows as `production.score`."""
