"""One bound on the memory of all sandboxes that run, together."""


class MemoryBudget:
    """Adds up what the watchdogs see. Where it is too much, the run that uses most has to go."""

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self._used: dict[object, int] = {}

    def is_over(self, who: object, used_bytes: int) -> bool:
        """Notes what `who` uses; True where all use too much together, and it uses the most."""
        self._used[who] = used_bytes
        most = max(self._used.values())
        return sum(self._used.values()) > self.total_bytes and used_bytes == most

    def forget(self, who: object) -> None:
        """It uses nothing any more."""
        self._used.pop(who, None)
