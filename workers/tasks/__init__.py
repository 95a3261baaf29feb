"""The bodies of the task types that a worker of ours carries out, one file for each."""
