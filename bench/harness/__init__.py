"""The side-by-side benchmark behind ``bench/run.py``; ``bench/README.md`` says how it works."""
