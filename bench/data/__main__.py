"""All of it: `python -m bench.data`."""

from __future__ import annotations

from bench.data import conversion, memory

if __name__ == "__main__":
    conversion.main()
    memory.main()
