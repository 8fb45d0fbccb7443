"""The command line. Each module holds commands of one subject; heavy imports are inside the commands, so that
`tunedeck --help` answers at once. It shows and asks; what it does is done by client/, up/ and doctor.py.
"""
