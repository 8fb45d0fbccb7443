"""What a run left for other tools below `artifacts/` of its run folders: profiles, curves, memory snapshots."""
