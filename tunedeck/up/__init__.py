"""`tunedeck up`: one command that runs the bus, the backend and the worker of one machine as its children.

    serve.py       puts it together: lock, port, the three children, the login link
    children.py    what each child is: command, environment, when it counts as ready
    supervisor.py  starts them in order, restarts the one that dies, ends them in reverse order
    process.py     one child process: its group, its log, how it is ended
    tether.py      the kernel's promise that a child never outlives `up`, not even at kill -9
    lock.py        one `up` per data folder
    address.py     where the service is, for the other commands

honcho and circus were rejected: both leave their children behind when they are killed with SIGKILL.
"""
