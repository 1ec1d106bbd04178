"""The system calls of the sandbox-executor's container: Docker's default, and what gVisor needs."""
