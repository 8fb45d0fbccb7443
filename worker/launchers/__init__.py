"""How the training processes of an attempt are started, on one host or on several: `launcher.py` says what a launcher
must do, `local.py` and `ray/` do it."""
