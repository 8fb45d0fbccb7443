"""The launcher of several hosts: a driver asks Ray for a placement group and runs one torchrun agent per bundle.

Ray is an extra, imported in processes of their own: by the driver of an attempt, by the agents that Ray starts on the
nodes, and by the one that says what the cluster has. Worker and supervisor never load it, since Ray ends a process that
has lost its cluster. What Ray does, we do not: queue, gang placement, noticing lost nodes, giving back their devices.
"""
