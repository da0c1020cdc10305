"""Self-contained HTML pages of comparisons and findings, and their templates."""
