"""What a process needs besides sockets, for every frontend: configuration files, secrets, clocks, spools, HTTP engines.

Nothing here knows an event loop. Functions that block say so; a frontend calls them in a worker thread.
"""
